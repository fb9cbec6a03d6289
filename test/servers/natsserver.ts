/** A real nats-server: on a free port of loopback, its store in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface NatsServerOptions {
  /** Lines added to the configuration, and what `$NAME` in it stands for. */
  config?: string;
  env?: NodeJS.ProcessEnv;
  /** `always` if nothing else is said. */
  syncInterval?: string;
  /** Folder; one of its own, gone when it is stopped, if nothing else is said. */
  store?: string;
}

export class NatsServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'prunesweep-nats-'));
  private child: ChildProcess | undefined;
  private port = -1;
  private log = '';

  readonly store: string;

  /** @param program path of nats-server */
  private constructor(
    private readonly program: string,
    private readonly options: NatsServerOptions,
  ) {
    this.store = options.store ?? join(this.folder, 'store');
  }

  static async start(program: string, options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(program, options);
    await server.begin();
    return server;
  }

  get pid(): number {
    return this.child!.pid!;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts, on the same port and store as before if there was one. */
  async begin(): Promise<void> {
    const file = join(this.folder, 'nats.conf');
    this.log = '';
    writeFileSync(
      file,
      [
        `listen: "127.0.0.1:${this.port}"`,
        `ports_file_dir: "${this.folder}"`,
        `jetstream { store_dir: "${this.store}", sync_interval: ${this.options.syncInterval ?? 'always'} }`,
        this.options.config ?? '',
      ].join('\n'),
    );
    const child = spawn(this.program, ['--config', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.options.env },
    });
    this.child = child;
    child.stderr!.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    for (let tries = 0; tries < 1000; tries++) {
      if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}: ${this.log}`);
      const written = readdirSync(this.folder).find((name) => name.endsWith(`_${child.pid}.ports`));
      if (written !== undefined && this.log.includes('Server is ready')) {
        const text = readFileSync(join(this.folder, written), 'utf8');
        // It may be about to be written.
        if (text.trimEnd().endsWith('}')) {
          const { nats: urls } = JSON.parse(text) as { nats: string[] };
          this.port = Number(new URL(urls[0]!).port);
          return;
        }
      }
      await new Promise((done) => setTimeout(done, 10));
    }
    throw new Error(`nats-server is not ready after 10 s: ${this.log}`);
  }

  signal(name: NodeJS.Signals): void {
    if (this.child?.exitCode === null && this.child.signalCode === null) this.child.kill(name);
  }

  /** Ends it at once, as a power cut does but for what the kernel still writes. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill();
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }
}
