/** A server as a child process that can be killed, begun again, and stopped in its tracks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export interface ServerProcessOptions {
  name: string;
  program: string;
  args: readonly string[];
  /** Has NAME.log, and NAME.pid while it runs. */
  folder: string;
  env?: NodeJS.ProcessEnv;
}

export class ServerProcess {
  private child: ChildProcess | undefined;

  constructor(private readonly options: ServerProcessOptions) {}

  get pid(): number {
    return this.child!.pid!;
  }

  get isRunning(): boolean {
    const { child } = this;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The end of what it wrote. */
  get lastWords(): string {
    return readFileSync(this.file('log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  }

  begin(): void {
    if (this.isRunning) throw new Error(`${this.options.name} runs already`);
    const log = openSync(this.file('log'), 'a');
    const child = spawn(this.options.program, this.options.args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.options.env },
    });
    closeSync(log);
    this.child = child;
    child.once('error', ({ message }) => writeFileSync(this.file('log'), message, { flag: 'a' }));
    if (child.pid === undefined) return;
    writeFileSync(this.file('pid'), `${child.pid}`);
    child.once('exit', () => {
      if (this.child === child) rmSync(this.file('pid'), { force: true });
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.isRunning) this.child!.kill(name);
  }

  /** Ends it at once, paused or not. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child!, 'exit');
    this.child!.kill('SIGKILL');
    await ended;
  }

  /**
   * @param asked tries again until this is true
   * @throws Error with its last words when it ends before, or takes longer
   */
  async until(asked: () => Promise<boolean>, milliseconds = 60_000): Promise<void> {
    for (const end = Date.now() + milliseconds; !(await asked().catch(() => false)); ) {
      if (!this.isRunning) throw new Error(`${this.options.name} ended: ${this.lastWords}`);
      if (Date.now() > end)
        throw new Error(`${this.options.name} is not ready after ${milliseconds} ms: ${this.lastWords}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  private file(extension: string): string {
    return join(this.options.folder, `${this.options.name}.${extension}`);
  }
}

/**
 * Watches over the servers of a folder: whatever becomes of this process, they end, and the folder goes. It waits for the
 * end of a pipe that this process holds, in a session of its own, so that a Ctrl-C does not reach it.
 *
 * @returns ends them now
 */
export function guard(folder: string): () => Promise<void> {
  const script = 'cat; for f in "$1"/*.pid; do kill -9 "$(cat "$f")"; done; rm -rf "$1" || { sleep 1; rm -rf "$1"; }';
  const child = spawn('sh', ['-c', script, 'guard', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return async () => {
    if (child.exitCode !== null) return;
    child.ref();
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  };
}
