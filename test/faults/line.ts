/** The whole line as processes, each behind a proxy of its own: two trainers, an aggregator, a nats-server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NatsServer } from '../servers/nats';
import { FaultyProxy } from './proxy';
import type { ClientName, ProcessName } from './schedule';

const CLI = resolve(__dirname, '../../dist/cli.js');
const CLOCK = resolve(__dirname, 'jumping-clock.cjs');
/** What a process may say before it is asked why it does not end. */
const RESTART_AFTER = 200;

/** A command that is started again whenever it ends otherwise than well. */
class Program {
  child: ChildProcess | undefined;
  private keepsRunning = true;
  private restart: NodeJS.Timeout | undefined;
  log = '';
  /** Resolves when it ended well. */
  readonly done: Promise<void>;
  private finish: () => void = () => {};
  exits: string[] = [];

  constructor(
    private readonly args: () => readonly string[],
    private readonly env: Record<string, string>,
  ) {
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  start(): void {
    if (this.isRunning) return;
    this.keepsRunning = true;
    const child = spawn(process.execPath, [CLI, ...this.args()], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.env },
    });
    this.child = child;
    child.stderr!.on('data', (data: Buffer) => {
      this.log += data.toString();
    });
    child.once('exit', (code, signal) => {
      if (code === 0) this.finish();
      if (code !== 0 && signal !== 'SIGKILL') this.exits.push(String(code ?? signal));
      if (code !== 0 && this.keepsRunning) this.restart = setTimeout(() => this.start(), RESTART_AFTER);
    });
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.isRunning) this.child!.kill(name);
  }

  /** Kills it for good, or until it is started again. */
  async end(): Promise<void> {
    this.keepsRunning = false;
    clearTimeout(this.restart);
    if (!this.isRunning) return;
    const ended = once(this.child!, 'exit');
    this.child!.kill('SIGCONT');
    this.child!.kill('SIGKILL');
    await ended;
  }
}

export class Line {
  readonly programs = new Map<ClientName, Program>();
  readonly proxies = new Map<ClientName, FaultyProxy>();
  /** How often NATS was brought back from a copy. */
  restores = 0;
  /** Its faults wait for each other: it is started and killed in turn. */
  private natsTurn: Promise<void> = Promise.resolve();

  private constructor(
    readonly nats: NatsServer,
    private readonly folder: string,
  ) {}

  /** @param clockSeed with which clocks jump; they are right without it */
  static async start(folder: string, sweep: string, http: number, clockSeed?: number): Promise<Line> {
    mkdirSync(folder, { recursive: true });
    const nats = await NatsServer.start();
    const line = new Line(nats, folder);
    const env = (name: ClientName): Record<string, string> =>
      clockSeed === undefined
        ? {}
        : { NODE_OPTIONS: `--require ${CLOCK}`, CLOCK_SEED: String(clockSeed + name.charCodeAt(name.length - 1)) };
    for (const [name, args] of [
      ['aggregator', ['aggregator', '--store', join(folder, 'store'), '--http', `127.0.0.1:${http}`]],
      ['trainer-0', ['trainer', '--sweep', sweep, '--pack', '0']],
      ['trainer-1', ['trainer', '--sweep', sweep, '--pack', '1']],
    ] as const) {
      const proxy = await FaultyProxy.start(() => Number(new URL(nats.url).port));
      line.proxies.set(name, proxy);
      const program = new Program(() => [...args, '--nats', `nats://127.0.0.1:${proxy.port}`], env(name));
      line.programs.set(name, program);
      program.start();
    }
    return line;
  }

  /** The trials that the trainers' logs say the ledger acknowledged. */
  get acknowledged(): Set<string> {
    const logs = [...this.programs.values()].map(({ log }) => log).join('');
    return new Set([...logs.matchAll(/"trial":"([0-9a-f]{64})","msg":"recorded /g)].map((match) => match[1]!));
  }

  async kill(whom: ProcessName): Promise<void> {
    if (whom !== 'nats') this.programs.get(whom)!.signal('SIGKILL');
    else
      await this.inNatsTurn(async () => {
        await this.nats.kill();
        await this.nats.begin();
      });
  }

  pauseOrContinue(whom: ProcessName, signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (whom === 'nats') this.nats.signal(signal);
    else this.programs.get(whom)!.signal(signal);
  }

  /** The aggregator comes back to a store that is gone, or garbage in its middle. */
  async spoilStore(damage: 'deleted' | 'damaged'): Promise<void> {
    const aggregator = this.programs.get('aggregator')!;
    await aggregator.end();
    const path = join(this.folder, 'store', 'sweeps.duckdb');
    if (damage === 'deleted') rmSync(join(this.folder, 'store'), { recursive: true, force: true });
    else if (existsSync(path)) {
      const bytes = readFileSync(path);
      bytes.fill(0xab, Math.floor(bytes.length / 3), Math.floor((2 * bytes.length) / 3));
      writeFileSync(path, bytes);
    }
    aggregator.start();
  }

  /** Copies the store of NATS away, as a backup does that stops the server first. */
  async backUp(): Promise<void> {
    await this.inNatsTurn(async () => {
      await this.nats.kill();
      rmSync(join(this.folder, 'backup'), { recursive: true, force: true });
      cpSync(this.nats.store, join(this.folder, 'backup'), { recursive: true });
      await this.nats.begin();
    });
  }

  async restore(): Promise<void> {
    await this.inNatsTurn(async () => {
      if (!existsSync(join(this.folder, 'backup'))) return;
      await this.nats.kill();
      rmSync(this.nats.store, { recursive: true, force: true });
      cpSync(join(this.folder, 'backup'), this.nats.store, { recursive: true });
      this.restores++;
      await this.nats.begin();
    });
  }

  private inNatsTurn(action: () => Promise<void>): Promise<void> {
    this.natsTurn = this.natsTurn.then(action);
    return this.natsTurn;
  }

  async stop(): Promise<void> {
    await this.natsTurn.catch(() => {});
    for (const program of this.programs.values()) await program.end();
    for (const proxy of this.proxies.values()) await proxy.stop();
    await this.nats.stop();
  }
}
