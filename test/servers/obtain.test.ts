import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../idxfiles';
import { hasNats, whyNoNats } from './nats';
import { obtainNats, officialDownload, requireNatsVersion } from './obtain';

const nats = inject('nats');
const machine = process.arch === 'x64' ? 'amd64' : process.arch;
const NAME = `nats-server-v2.15.2-${process.platform}-${machine}`;

/** The release as its site serves it, on loopback; `sum` is what the list of sums says of the archive. */
async function release(sum?: string): Promise<string> {
  const folder = temporaryFolder();
  mkdirSync(join(folder, NAME));
  copyFileSync('program' in nats ? nats.program : '', join(folder, NAME, 'nats-server'));
  execFileSync('tar', ['-czf', `${NAME}.tar.gz`, NAME], { cwd: folder });
  const archive = readFileSync(join(folder, `${NAME}.tar.gz`));
  const right = createHash('sha256').update(archive).digest('hex');
  const files = new Map<string, string | Buffer>([
    ['/v2.15.2/SHA256SUMS', `${'0'.repeat(64)}  another.zip\n${sum ?? right}  ${NAME}.tar.gz\n`],
    [`/v2.15.2/${NAME}.tar.gz`, archive],
  ]);
  const server = createServer(({ url }, answer) => {
    const file = files.get(url!);
    answer.writeHead(file === undefined ? 404 : 200).end(file);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.runIf(hasNats)(`nats-server${whyNoNats}`, () => {
  const obtain = async (releases: string) => {
    const cache = temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', cache);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const said: string[] = [];
    const found = obtainNats((line) => said.push(line), [officialDownload(releases)]);
    return { cache, said, found };
  };

  it('comes from the download when its sum is right, and is kept in the cache, ready to run', async () => {
    const { cache, found } = await obtain(await release());
    const program = await found;
    expect(program).toBe(join(cache, 'prunesweep', 'servers', 'nats-server-2.15.2'));
    expect(statSync(program).mode & 0o111).not.toBe(0);
    expect(await requireNatsVersion(program)).toBe(program);
  });

  it('does not come from a download that was changed or is not there', async () => {
    const changed = await obtain(await release('1'.repeat(64)));
    await expect(changed.found).rejects.toThrow(
      /no nats-server from any place: .*has SHA-256 .* its release says 1111/,
    );
    expect(existsSync(join(changed.cache, 'prunesweep'))).toBe(false);
    const absent = await obtain(`${await release()}/elsewhere`);
    await expect(absent.found).rejects.toThrow(/404 Not Found/);
    expect(absent.said).toEqual([expect.stringContaining('nats-server not from the official download: 404')]);
  });

  it('is refused when it is older than 2.11', async () => {
    const program = join(temporaryFolder(), 'nats-server');
    for (const [version, isRefused] of [
      ['1.99.0', true],
      ['2.10.29', true],
      ['2.11.0', false],
      ['3.0.0', false],
    ] as const) {
      writeFileSync(program, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
      chmodSync(program, 0o755);
      const asked = requireNatsVersion(program);
      if (isRefused) await expect(asked).rejects.toThrow(`is nats-server ${version}; 2.11 or newer is needed`);
      else expect(await asked).toBe(program);
    }
  });
});
