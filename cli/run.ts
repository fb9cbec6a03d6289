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
import { gridPoints, lineagesOf } from '../sweep/grid';
import type { Lineage, Trial } from '../sweep/trial';
import { loadDataset } from '../trainer/data/dataset';
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

async function runLocked(
  { sweep, shape }: LoadedSweep,
  folder: string,
  options: RunOptions,
  status: StatusLine,
): Promise<number> {
  removeTemporaryFiles(folder);
  const ledger = new FileLedger(join(folder, LEDGER_FILE));
  writeFileDurably(join(folder, SWEEP_FILE), Buffer.from(sweepYaml(sweep)));
  const points = gridPoints(sweep.spec, shape);
  const lineages = lineagesOf(sweep.spec, shape);
  const networks = options.keepNetworks ? join(folder, NETWORKS_FOLDER) : undefined;
  if (networks !== undefined) withDiskErrors(networks, () => mkdirSync(networks, { recursive: true }));
  const isDone = ({ id }: Trial) =>
    ledger.records.has(id) && (networks === undefined || existsSync(networkPath(networks, id)));
  const recorded = () => points.filter(({ trial }) => ledger.records.has(trial.id)).length;

  const data = dataSize(shape, sweep.spec.dataset.validation);
  const work = lineages
    .map((lineage) => ({ lineage, seconds: lineageSeconds(lineage, isDone, data) }))
    .filter(({ seconds }) => seconds > 0)
    .sort((a, b) => b.seconds - a.seconds);
  const failures: { trials: string[]; reason: string }[] = [];
  if (work.length > 0) {
    const workers = Math.min(options.workers ?? Math.min(sweep.spec.parallelism, cpus().length), work.length);
    status.say(
      `${sweep.metadata.name}: ${points.length} trials, ${recorded()} recorded, ${work.length} of ${lineages.length} lineages to work on with ${workers} ${workers === 1 ? 'worker' : 'workers'}`,
    );
    const images = loadDataset(sweep.spec.dataset);
    const timeLeft = new TimeLeft(lineages, isDone, data, workers, performance.now() / 1000);
    const lineageOf = new Map(lineages.flatMap((lineage) => lineage.chains.flat().map(({ id }) => [id, lineage.id])));
    const failedTrials = () => new Set(failures.flatMap(({ trials }) => trials)).size;
    await runPool(
      require.resolve('../trainer/worker'),
      workers,
      work.map(({ lineage }) => ({ lineage, done: doneTrials(lineage, isDone) })),
      (worker): WorkerData => ({
        worker,
        images,
        checkpoints: join(folder, CHECKPOINTS_FOLDER),
        ...(networks === undefined ? {} : { networks }),
        versions: versions(),
      }),
      {
        record: (record) => {
          ledger.append(record);
          timeLeft.advance(lineageOf.get(record.id) ?? '', record.id, 1, 1);
        },
        progress: (news) => {
          const step = news.trial ?? 'dense';
          timeLeft.advance(news.lineage, step, news.epoch / news.epochs, 1 / news.epochs);
          const left = timeLeft.left(performance.now() / 1000);
          status.show(progressText(news, { recorded: recorded(), total: points.length }, left));
        },
        failed: (trials, reason) => {
          failures.push({ trials, reason });
          status.say(`${trials.length} trials failed (${trials.map((id) => id.slice(0, 12)).join(', ')}): ${reason}`);
        },
        stop: () => failedTrials() > sweep.spec.maxFailedTrials,
      },
    );
  }
  ledger.close();
  status.clear();
  if (existsSync(join(folder, CHECKPOINTS_FOLDER)) && readdirSync(join(folder, CHECKPOINTS_FOLDER)).length === 0)
    rmSync(join(folder, CHECKPOINTS_FOLDER), { recursive: true });
  const written = writeOutputs(folder, outputs(points, ledger.records, axesOf(sweep.spec, shape)));
  process.stdout.write(renderTable({ sweep, shape }, ledger.records, 'md'));
  process.stdout.write(`\nIn ${options.out}: ${[SWEEP_FILE, LEDGER_FILE, ...written].join(', ')}\n`);
  return summarise(failures, sweep.spec.maxFailedTrials);
}

function summarise(failures: { trials: string[]; reason: string }[], allowed: number): number {
  const failed = new Set(failures.flatMap(({ trials }) => trials)).size;
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

const versions = (): Record<string, string> => ({ prunesweep: version, node: process.versions.node });

/** What a killed run was writing when it was killed. */
function removeTemporaryFiles(folder: string): void {
  for (const place of [folder, join(folder, CHECKPOINTS_FOLDER), join(folder, NETWORKS_FOLDER)]) {
    if (!existsSync(place)) continue;
    for (const name of readdirSync(place)) if (name.endsWith('.tmp')) rmSync(join(place, name), { force: true });
  }
}
