import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../../idxfiles';
import {
  fromGo,
  inAssets,
  inCache,
  obtainKubernetes,
  officialDownload,
  onPath,
  PROGRAMS,
  type ProgramName,
  type Source,
} from './obtain';

const machine = process.arch === 'x64' ? 'amd64' : process.arch;
const FOR = `${process.platform}-${machine}`;

/** A program that says its version, and can do nothing else. */
const script = (version: string) => `#!/bin/sh\necho v${version}\n`;

function folderWith(versions: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [name, version] of Object.entries(versions))
    writeFileSync(join(folder, name), script(version), { mode: 0o755 });
  return folder;
}

/** The sites of the three projects, on loopback, with scripts for programs; `changed` is none of what its sum says. */
async function releases(changed?: string): Promise<string> {
  const folder = temporaryFolder();
  const etcd = `etcd-v3.6.4-${FOR}`;
  mkdirSync(join(folder, etcd));
  writeFileSync(join(folder, etcd, 'etcd'), script('3.6.4'));
  execFileSync('tar', ['-czf', 'etcd.tar.gz', etcd], { cwd: folder });
  const archive = readFileSync(join(folder, 'etcd.tar.gz'));
  const sum = (name: string, bytes: string | Buffer) =>
    name === changed ? '1'.repeat(64) : createHash('sha256').update(bytes).digest('hex');
  const files = new Map<string, string | Buffer>([
    ['/v3.6.4/SHA256SUMS', `${'0'.repeat(64)}  another.zip\n${sum('etcd', archive)}  ${etcd}.tar.gz\n`],
    [`/v3.6.4/${etcd}.tar.gz`, archive],
    [`/v0.7.0/kwok-${FOR}`, script('0.7.0')],
  ]);
  for (const name of PROGRAMS.filter((program) => program.startsWith('kube'))) {
    const url = `/v1.34.4/bin/${process.platform}/${machine}/${name}`;
    files.set(url, script('1.34.4')).set(`${url}.sha256`, sum(name, script('1.34.4')));
  }
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

const downloadFrom = (site: string) => officialDownload({ kubernetes: site, etcd: site, kwok: site });

async function obtain(sources: readonly Source[], env: Record<string, string> = {}) {
  const cache = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', cache);
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const said: string[] = [];
  const found = obtainKubernetes((line) => said.push(line), sources);
  await found.catch(() => {});
  return { cache, said, found };
}

it('comes from the download when the sums are right, and from the cache the next time', async () => {
  const { cache, found } = await obtain([downloadFrom(await releases())]);
  const programs = await found;
  for (const name of Object.keys(programs) as ProgramName[]) {
    expect(programs[name].startsWith(join(cache, 'prunesweep', 'servers', 'kubernetes-1.34.4-'))).toBe(true);
    expect(statSync(programs[name]).mode & 0o111).not.toBe(0);
  }
  expect(readdirSync(dirname(programs.etcd)).sort()).toEqual(Object.keys(programs).sort());
  expect(await obtainKubernetes(() => {}, [inCache])).toEqual(programs);
});

it('does not come from a download that was changed or is not there, and one error says all that was tried', async () => {
  for (const changed of ['etcd', 'kubectl']) {
    const { found } = await obtain([downloadFrom(await releases(changed))]);
    await expect(found).rejects.toThrow(
      new RegExp(`^no ${changed} from any place: the official download: .*SHA-256 .* its release says 1111`),
    );
  }
  const nothing = temporaryFolder();
  const places = [inAssets, onPath, inCache, downloadFrom(`${await releases()}/elsewhere`), fromGo(() => {})];
  const { cache, said, found } = await obtain(places, { KUBEBUILDER_ASSETS: nothing, PATH: nothing });
  await expect(found).rejects.toThrow(
    /^no etcd, .*kwok.* from any place: KUBEBUILDER_ASSETS: .*; PATH: .*; the cache folder: .*; the official download: etcd: 404 Not Found.*; a build of its Go modules: spawn go ENOENT$/,
  );
  expect(said).toHaveLength(2);
  expect(existsSync(join(cache, 'prunesweep'))).toBe(false);
});

it('comes from KUBEBUILDER_ASSETS, and what that folder lacks from the next place', async () => {
  const assets = folderWith({ etcd: '3.5.9', 'kube-apiserver': '1.34.1', kubectl: '1.34.1' });
  const { found } = await obtain([inAssets, downloadFrom(await releases())], { KUBEBUILDER_ASSETS: assets });
  const programs = await found;
  expect(PROGRAMS.filter((name) => dirname(programs[name]) === assets)).toEqual(['etcd', 'kube-apiserver', 'kubectl']);
});

it('passes over programs that are too old, and a kube-apiserver whose controllers would be of another version', async () => {
  const path = folderWith({ 'kube-apiserver': '1.32.0', kubectl: '1.30.9', etcd: '3.6.0' });
  const { found, said } = await obtain([onPath, downloadFrom(await releases())], {
    PATH: `${path}:${process.env.PATH}`,
  });
  const programs = await found;
  expect(PROGRAMS.filter((name) => dirname(programs[name]) === path)).toEqual(['etcd']);
  expect(said).toEqual([
    expect.stringMatching(/kube-apiserver is 1.32.0, .*kubectl is 1.30.9; 1.31 or newer is needed/),
  ]);
});
