/** The folder of a run whose records are made up: written as fast as one likes, and served as real ones are. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { onTestFinished } from 'vitest';
import { Aggregator } from '../../aggregator/aggregator';
import { type ApiOptions, apiOf } from '../../aggregator/http/server';
import { FolderLedger, folderNews } from '../../bus/folder';
import { LEDGER_FILE, ledgerLine } from '../../bus/ledger';
import { sweepYaml } from '../../sweep/accept';
import { gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';

export class MadeUpRun {
  readonly records: TrialRecord[];

  constructor(
    readonly folder: string,
    private readonly spec: object,
  ) {
    const sweep = sweepOf(spec);
    this.records = gridPoints(sweep.spec, MNIST).map((point, at) => recordOf(point, 9000 + ((at * 7919) % 997)));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'sweep.yaml'), sweepYaml(sweep));
  }

  /** Writes records from one place of the grid to another. */
  write(from = 0, to = this.records.length): void {
    appendFileSync(join(this.folder, LEDGER_FILE), this.records.slice(from, to).map(ledgerLine).join(''));
  }

  /** Says of every trial that it failed: the cheapest way to change all cells. */
  failAll(): void {
    const lines = this.records.map(({ id }) => `${JSON.stringify({ trial: id, reason: 'diverged' })}\n`);
    appendFileSync(join(this.folder, 'failures.ndjson'), lines.join(''));
  }

  /** The aggregator and its API in this process, as `prunesweep serve` has them. @returns where it serves */
  async serve(options: ApiOptions = {}): Promise<string> {
    const aggregator = await Aggregator.open(
      {
        ledger: new FolderLedger([this.folder]),
        news: { follow: (signal) => folderNews([this.folder], signal) },
        sweeps: { follow: (signal) => this.sweeps(signal), isBehind: async () => false },
        prepare: async () => {},
        onLost: () => {},
      },
      temporaryFolder(),
      { info: () => {}, warn: () => {} },
    );
    const api = await apiOf(aggregator, '0.0.0', pino({ level: 'silent' }), options);
    const running = aggregator.run();
    onTestFinished(async () => {
      aggregator.stop();
      api.server.closeAllConnections();
      await api.close();
      await running;
    });
    return api.listen({ host: '127.0.0.1', port: 0 });
  }

  private async *sweeps(signal: AbortSignal) {
    yield { definition: { sweep: sweepOf(this.spec), shape: MNIST }, by: 'owner' as const, since: 0 };
    if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done));
  }
}
