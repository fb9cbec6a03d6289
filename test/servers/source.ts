/** Where servers for the tests come from: several places asked in turn, and a folder of the user that keeps what was found. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

export const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'prunesweep', 'servers');

/** As releases name this machine's processor. */
export const machine = () => (process.arch === 'x64' ? 'amd64' : process.arch);

/** The first program of that name in the folders of PATH. */
export function programOnPath(name: string): string | undefined {
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  return places.find((place) => existsSync(place));
}

/** The version that a program says it has, `2.11.3`. */
export async function versionOf(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(program, args, { timeout: 10_000 });
  const match = /v?(\d+\.\d+\.\d+)/.exec(stdout);
  if (match === null) throw new Error(`${program} ${args.join(' ')} says ${JSON.stringify(stdout)}`);
  return match[1]!;
}

export function isOlder(version: string, oldest: readonly [major: number, minor: number]): boolean {
  const [major, minor] = version.split('.').map(Number) as [number, number];
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}

/** @param answersWithin milliseconds until the answer begins: where nothing answers, a run must not wait for it */
export async function download(url: string, answersWithin = 5_000): Promise<Buffer> {
  const waiting = new AbortController();
  const late = setTimeout(() => waiting.abort(new Error(`no answer in ${answersWithin} ms`)), answersWithin);
  const answer = await fetch(url, { signal: AbortSignal.any([waiting.signal, AbortSignal.timeout(300_000)]) })
    .catch((error: Error) => {
      const { cause } = error;
      throw new Error(`${url}: ${cause instanceof Error ? cause.message || error.message : error.message}`);
    })
    .finally(() => clearTimeout(late));
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText} for ${url}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** @throws Error when `bytes` are not what the release says they are */
export function requireSum(name: string, bytes: Buffer, wanted: string | undefined): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== wanted) throw new Error(`${name} has SHA-256 ${found}, its release says ${wanted}`);
}

/** The sum that a SHA256SUMS file has for `name`. */
export function sumIn(list: Buffer, name: string): string | undefined {
  const lines = list.toString('utf8').split('\n');
  return lines.find((line) => line.endsWith(` ${name}`))?.split(' ')[0];
}

/** Runs `work` with a folder that is gone afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-server-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function executable(program: string): string {
  chmodSync(program, 0o755);
  return program;
}

/** Puts a program into the cache as a whole, whoever else does so at the same time. */
export function keep(program: string, kept: string): string {
  mkdirSync(dirname(kept), { recursive: true });
  const beside = `${kept}.${randomUUID()}`;
  writeFileSync(beside, readFileSync(program), { mode: 0o755 });
  renameSync(beside, kept);
  return kept;
}

/** What went wrong, in the one line of a message that says most. */
export const lastLine = (error: unknown) => (error as Error).message.trim().split('\n').at(-1)!;

/** Where a program may be, and what to do there; a source that has none throws or answers undefined. */
export interface Source {
  name: string;
  /** @param folder for what it makes; the program, when it is in there, is put into the cache */
  find(folder: string): Promise<string | undefined>;
}

export const inCache = (kept: () => string): Source => ({
  name: 'the cache folder',
  find: async () => (existsSync(kept()) ? kept() : undefined),
});

export interface Wanted {
  name: string;
  /** Asked in this order. */
  sources: readonly Source[];
  /** Its place in the cache. */
  kept(): string;
  /** @throws Error when this program will not do */
  check(program: string): Promise<string>;
}

/**
 * @param say told of each source that is tried and has none
 * @throws Error with what each source said
 */
export async function obtain({ name, sources, kept, check }: Wanted, say: (line: string) => void): Promise<string> {
  const reasons: string[] = [];
  for (const source of sources)
    try {
      const program = await inTemporaryFolder(async (folder) => {
        const found = await source.find(folder);
        return found?.startsWith(folder) ? keep(await check(executable(found)), kept()) : found;
      });
      if (program !== undefined) return program;
    } catch (error) {
      const reason = `${source.name}: ${lastLine(error)}`;
      say(`${name} not from ${reason}`);
      reasons.push(reason);
    }
  throw new Error(`no ${name} from any place: ${reasons.join('; ')}`);
}
