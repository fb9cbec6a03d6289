/** `prunesweep run`: a sweep on this machine, from its file to the table. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { outputs, writeOutputs } from '../aggregator/outputs';
import { axesOf } from '../aggregator/table';
import { withDiskErrors, writeFileDurably } from '../bus/files';
import { FileLedger, LEDGER_FILE } from '../bus/ledger';
import { lockFolder } from '../controller/local/lock';
import { runPool } from '../controller/local/pool';
import { version } from '../package.json';
import { sweepYaml } from '../sweep/accept';
import { type GridPoint, gridPoints, lineagesOf } from '../sweep/grid';
import type { Lineage, Trial } from '../sweep/trial';
import { loadDataset } from '../trainer/data/dataset';
import { HAS_FUSED_MULTIPLY_ADD } from '../trainer/engine/wasm/machine';
import { networkPath } from '../trainer/kept';
import { dataSize, lineageSeconds } from '../trainer/work';
import type { WorkerData } from '../trainer/worker';
import { progressText, StatusLine, TimeLeft } from './progress';
import { type LoadedSweep, loadSweep, SWEEP_FILE } from './sweepfile';
import { renderTable } from './table';

export interface RunOptions {
  out: string;
  workers?: number;
  keepNetworks: boolean;
}

export const NETWORKS_FOLDER = 'networks';
const CHECKPOINTS_FOLDER = 'checkpoints';

/** @returns the exit code */
export async function run(file: string, options: RunOptions): Promise<number> {
  const loaded = loadSweep(file);
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
    return await runLocked(loaded, folder, options, status);
  } finally {
    status.clear();
    unlock();
    process.removeListener('SIGINT', stop);
    process.removeListener('SIGTERM', stop);
  }
}

interface Failure {
  trials: string[];
  reason: string;
}

async function runLocked(
  loaded: LoadedSweep,
  folder: string,
  options: RunOptions,
  status: StatusLine,
): Promise<number> {
  const { sweep, shape } = loaded;
  removeTemporaryFiles(folder);
  const ledger = new FileLedger(join(folder, LEDGER_FILE));
  writeFileDurably(join(folder, SWEEP_FILE), Buffer.from(sweepYaml(sweep)));
  const points = gridPoints(sweep.spec, shape);
  const failures = await trainMissing(loaded, points, folder, options, ledger, status);
  ledger.close();
  status.clear();
  removeIfEmpty(join(folder, CHECKPOINTS_FOLDER));
  const written = writeOutputs(folder, outputs(points, ledger.records, axesOf(sweep.spec, shape)));
  process.stdout.write(renderTable(loaded, ledger.records, 'md'));
  process.stdout.write(`\nIn ${options.out}: ${[SWEEP_FILE, LEDGER_FILE, ...written].join(', ')}\n`);
  return summarise(failures, sweep.spec.maxFailedTrials);
}

/** Trains what the ledger lacks, the longest lineages first, so that no worker ends long after the others. */
async function trainMissing(
  { sweep, shape }: LoadedSweep,
  points: readonly GridPoint[],
  folder: string,
  options: RunOptions,
  ledger: FileLedger,
  status: StatusLine,
): Promise<Failure[]> {
  const networks = options.keepNetworks ? join(folder, NETWORKS_FOLDER) : undefined;
  if (networks !== undefined) withDiskErrors(networks, () => mkdirSync(networks, { recursive: true }));
  const isDone = ({ id }: Trial) =>
    ledger.records.has(id) && (networks === undefined || existsSync(networkPath(networks, id)));
  const data = dataSize(shape, sweep.spec.dataset.validation);
  const lineages = lineagesOf(sweep.spec, shape);
  const work = lineages
    .map((lineage) => ({ lineage, seconds: lineageSeconds(lineage, isDone, data) }))
    .filter(({ seconds }) => seconds > 0)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ lineage }) => lineage);
  if (work.length === 0) return [];

  const trials = { total: points.length, recorded: points.filter(({ trial }) => ledger.records.has(trial.id)).length };
  const workers = Math.min(options.workers ?? Math.min(sweep.spec.parallelism, cpus().length), work.length);
  status.say(
    `${sweep.metadata.name}: ${trials.total} trials, ${trials.recorded} recorded, ${work.length} of ${lineages.length} lineages to work on with ${workers} ${workers === 1 ? 'worker' : 'workers'}`,
  );
  if (!HAS_FUSED_MULTIPLY_ADD)
    status.say(
      'This processor has no fused multiply-add. It is emulated, for the same records as elsewhere; training takes some 30 times as long.',
    );
  const images = loadDataset(sweep.spec.dataset);
  const timeLeft = new TimeLeft(work, isDone, data, workers, performance.now() / 1000);
  const failures: Failure[] = [];
  await runPool(
    require.resolve('../trainer/worker'),
    workers,
    work.map((lineage) => ({ lineage, done: doneTrials(lineage, isDone) })),
    (worker): WorkerData => ({
      worker,
      images,
      checkpoints: join(folder, CHECKPOINTS_FOLDER),
      ...(networks === undefined ? {} : { networks }),
      versions: { prunesweep: version, node: process.versions.node },
    }),
    {
      record: (record) => {
        if (!ledger.records.has(record.id)) trials.recorded++;
        ledger.append(record);
        timeLeft.advance(record.id, 1, 1);
      },
      progress: (news) => {
        timeLeft.advance(news.trial ?? news.lineage, news.epoch / news.epochs, 1 / news.epochs);
        status.show(progressText(news, trials, timeLeft.left(performance.now() / 1000)));
      },
      failed: (ids, reason) => {
        failures.push({ trials: ids, reason });
        status.say(`${ids.length} trials failed (${ids.map((id) => id.slice(0, 12)).join(', ')}): ${reason}`);
      },
      stop: () => countFailed(failures) > sweep.spec.maxFailedTrials,
    },
  );
  return failures;
}

const countFailed = (failures: readonly Failure[]) => new Set(failures.flatMap(({ trials }) => trials)).size;

function summarise(failures: readonly Failure[], allowed: number): number {
  const failed = countFailed(failures);
  if (failed === 0) return 0;
  process.stderr.write(
    `${failed} trials failed, spec.maxFailedTrials allows ${allowed}. A network that diverges does so again: lower spec.training.learningRate, or allow failures to get the table of the others.\n`,
  );
  return failed > allowed ? 1 : 0;
}

const doneTrials = ({ chains }: Lineage, isDone: (trial: Trial) => boolean) =>
  chains
    .flat()
    .filter(isDone)
    .map(({ id }) => id);

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
