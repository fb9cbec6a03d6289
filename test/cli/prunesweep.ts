/** Runs the built command line as a user does: as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { document } from '../fixtures';

const CLI = resolve(__dirname, '../../dist/cli.js');

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
  seconds: number;
  /** Largest resident set, MB. */
  megabytes: number;
}

export interface Running {
  process: ChildProcess;
  outcome: Promise<Outcome>;
}

/** @param wrapper a command that is given the command line to run as its arguments */
export function start(args: readonly string[], wrapper: readonly string[] = []): Running {
  const began = performance.now();
  const [program, ...rest] = [
    ...wrapper,
    process.execPath,
    '--require',
    join(__dirname, 'report-memory.cjs'),
    CLI,
    ...args,
  ];
  const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const texts = ['', '', '', ''];
  for (const index of [1, 2, 3] as const)
    (child.stdio[index] as NodeJS.ReadableStream).on('data', (data: Buffer) => {
      texts[index] += data.toString();
    });
  const outcome = new Promise<Outcome>((done) => {
    child.on('close', (code) =>
      done({
        code,
        stdout: texts[1]!,
        stderr: texts[2]!,
        seconds: (performance.now() - began) / 1000,
        megabytes: Number(texts[3]) / 1024,
      }),
    );
  });
  return { process: child, outcome };
}

export const prunesweep = (...args: string[]): Promise<Outcome> => start(args).outcome;

/** Writes a sweep file and returns its path. */
export function writeSweep(folder: string, spec: object, name = 'sweep.yaml'): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, stringify(document(spec)));
  return path;
}

/** Hash of everything in a folder that is promised to be the same bytes. */
export function resultHash(folder: string): string {
  const hash = createHash('sha256');
  const networks = existsSync(join(folder, 'networks')) ? readdirSync(join(folder, 'networks')).sort() : [];
  const files = [
    'sweep.yaml',
    'trials.csv',
    'trials.parquet',
    'table.csv',
    'table.md',
    ...networks.map((name) => join('networks', name)),
  ];
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
  return hash.digest('hex');
}

export const ledgerLines = (folder: string): string[] =>
  existsSync(join(folder, 'ledger.ndjson'))
    ? readFileSync(join(folder, 'ledger.ndjson'), 'utf8').split('\n').slice(0, -1)
    : [];

/** Waits until it is so, asking every few milliseconds, for a minute at most. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 6000 && !isSo(); tries++) await new Promise((done) => setTimeout(done, 10));
  if (!isSo()) throw new Error('waited for a minute in vain');
}
