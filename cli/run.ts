/** `prunesweep run`: a sweep on this machine, from its file to the table. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { cpus, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { outputs, writeOutputs } from '../aggregator/outputs';
import { axesOf } from '../aggregator/table';
import { FileCheckpoints } from '../bus/checkpoints';
import { withDiskErrors, writeFileDurably } from '../bus/files';
import { FolderNews } from '../bus/folder';
import { FileLedger, LEDGER_FILE } from '../bus/ledger';
import type { NatsOptions } from '../bus/nats/connect';
import { isSame } from '../bus/records';
import { lockFolder } from '../controller/local/lock';
import { sweepYaml } from '../sweep/accept';
import { type GridPoint, gridPoints, lineagesOf } from '../sweep/grid';
import type { SweepDefinition } from '../sweep/spec';
import { type ChosenEngine, chooseEngine, type EngineChoice } from '../trainer/engine/choose';
import { askTfjs } from '../trainer/engine/tfjs/ask';
import { type Line, openLine } from './line';
import { StatusLine } from './progress';
import { loadSweep, SWEEP_FILE } from './sweepfile';
import { renderTable } from './table';
import { type Training, train } from './train';

export interface RunOptions {
  out: string;
  workers?: number;
  engine: EngineChoice;
  keepNetworks: boolean;
  /** Records travel through NATS as well. */
  nats?: NatsOptions;
}

export const NETWORKS_FOLDER = 'networks';
const CHECKPOINTS_FOLDER = 'checkpoints';

/** What others call this run. */
const localName = () => `run-${hostname().replace(/[^\w-]/g, '-')}-${process.pid}`;

/** @returns the exit code */
export async function run(file: string, options: RunOptions): Promise<number> {
  const loaded = loadSweep(file);
  const engine = chooseEngine(options.engine, askTfjs);
  const folder = resolve(options.out);
  withDiskErrors(folder, () => mkdirSync(folder, { recursive: true }));
  const unlock = lockFolder(folder);
  const status = new StatusLine(process.stderr);
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    status.say(`Stopped by ${signal}. Every recorded trial is kept; the same command goes on where this one was.`);
    unlock();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await runLocked(loaded, folder, engine, options, status);
  } finally {
    status.clear();
    unlock();
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
}

async function runLocked(
  definition: SweepDefinition,
  folder: string,
  engine: ChosenEngine,
  options: RunOptions,
  status: StatusLine,
): Promise<number> {
  const { sweep, shape } = definition;
  if (engine.note !== undefined) status.say(engine.note);
  removeTemporaryFiles(folder);
  const ledger = new FileLedger(join(folder, LEDGER_FILE));
  writeFileDurably(join(folder, SWEEP_FILE), Buffer.from(sweepYaml(sweep)));
  const points = gridPoints(sweep.spec, shape);
  const networks = options.keepNetworks ? join(folder, NETWORKS_FOLDER) : undefined;
  if (networks !== undefined) withDiskErrors(networks, () => mkdirSync(networks, { recursive: true }));
  const line =
    options.nats === undefined
      ? undefined
      : await openLine({
          ...{ nats: options.nats, definition, pack: localName(), by: 'owner' },
          say: (text) => status.say(text),
        });
  const news = new FolderNews(folder, { sweep: sweep.metadata.name, pack: localName() });
  const work = async () => {
    if (line !== undefined) await share(line, points, ledger);
    return train(training);
  };
  const training: Training = {
    ...{ definition, lineages: lineagesOf(sweep.spec, shape), engine, status },
    workers: options.workers ?? Math.min(sweep.spec.parallelism, cpus().length),
    isRecorded: ({ id }) => ledger.records.has(id),
    ...(networks === undefined ? {} : { networks }),
    checkpoints: line?.checkpoints ?? new FileCheckpoints(join(folder, CHECKPOINTS_FOLDER)),
    // With NATS the folder's ledger has the record first: killed before NATS has it, the next run takes it there.
    publish: async (record) => {
      ledger.append(record);
      await line?.queue.publish(record);
    },
    durable: async () => line?.queue.drained(),
    fail: async (failure) => {
      news.fail(failure);
      await line?.ledger.fail(failure);
    },
    progress: (progress) => {
      news.progress(progress);
      line?.news.progress(progress);
    },
    atWork: (lineages) => {
      news.atWork(lineages);
      line?.announce(lineages);
    },
  };
  const failed = await work().finally(() => {
    news.close();
    return line?.close();
  });
  ledger.close();
  status.clear();
  removeIfEmpty(join(folder, CHECKPOINTS_FOLDER));
  const written = writeOutputs(folder, outputs(points, ledger.records, axesOf(sweep.spec, shape)));
  process.stdout.write(renderTable(definition, ledger.records, 'md'));
  process.stdout.write(`\nIn ${options.out}: ${[SWEEP_FILE, LEDGER_FILE, ...written].join(', ')}\n`);
  return summarise(failed, sweep.spec.maxFailedTrials);
}

/** Each ledger gets what the other one has. */
async function share(line: Line, points: readonly GridPoint[], ledger: FileLedger): Promise<void> {
  const ids = points.map(({ trial }) => trial.id);
  const there = await line.ledger.recorded(ids);
  for (const id of ids) {
    const [mine, theirs] = [ledger.records.get(id), there.get(id)];
    if (mine === undefined && theirs !== undefined) ledger.append(theirs);
    // A contradiction is published as well: NATS refuses it, and all are told.
    else if (mine !== undefined && (theirs === undefined || !isSame(mine, theirs))) await line.ledger.publish(mine);
  }
}

function summarise(failed: number, allowed: number): number {
  if (failed === 0) return 0;
  process.stderr.write(
    `${failed} trials failed, spec.maxFailedTrials allows ${allowed}. A network that diverges does so again: lower spec.training.learningRate, or allow failures to get the table of the others.\n`,
  );
  return failed > allowed ? 1 : 0;
}

/** What a killed run was writing when it was killed. */
function removeTemporaryFiles(folder: string): void {
  for (const place of [folder, join(folder, CHECKPOINTS_FOLDER), join(folder, NETWORKS_FOLDER)]) {
    if (!existsSync(place)) continue;
    for (const name of readdirSync(place)) if (name.endsWith('.tmp')) rmSync(join(place, name), { force: true });
  }
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
}
