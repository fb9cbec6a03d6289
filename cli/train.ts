/** Trains what is missing of a sweep, or of a pack of it, with worker threads, and says how it goes. */
import { existsSync } from 'node:fs';
import type { Checkpoints, Failure, Progress } from '../bus/bus';
import { runPool } from '../controller/local/pool';
import { version } from '../package.json';
import { trialsOf } from '../sweep/grid';
import type { Part } from '../sweep/packs';
import type { TrialRecord } from '../sweep/record';
import type { SweepDefinition } from '../sweep/spec';
import type { Lineage, Trial } from '../sweep/trial';
import { loadDataset } from '../trainer/data/dataset';
import type { SharedImages } from '../trainer/data/images';
import { type ChosenEngine, lineagesPerEngine } from '../trainer/engine/choose';
import { configureTensorFlow } from '../trainer/engine/tfjs/binding';
import { HAS_FUSED_MULTIPLY_ADD } from '../trainer/engine/wasm/machine';
import { networkPath } from '../trainer/kept';
import { dataSize, lineageSeconds } from '../trainer/work';
import type { WorkerData } from '../trainer/worker';
import { progressText, TimeLeft } from './progress';

export interface Training {
  definition: SweepDefinition;
  lineages: readonly Lineage[];
  /** What of them is done here; all when absent. */
  part?: Part;
  /** At most. */
  workers: number;
  engine: ChosenEngine;
  isRecorded(trial: Trial): boolean;
  /** Folder for the networks of all trials, when they are kept. */
  networks?: string;
  checkpoints: Checkpoints;
  status: { say(line: string): void; show(line: string): void };
  /** Resolves when the record's lineage may go on. */
  publish(record: TrialRecord): Promise<void>;
  /** Resolves when all that was published is durable. */
  durable(): Promise<void>;
  fail(failure: Failure): Promise<void>;
  progress(news: Progress): void;
  atWork(lineages: string[]): void;
  /** When it is aborted, lineages end after the epoch at work, with a checkpoint each. */
  signal?: AbortSignal;
}

/** The longest lineages first, so that no worker ends long after the others. @returns how many trials failed */
export async function train(training: Training): Promise<number> {
  const { definition, lineages, part, networks, status, engine } = training;
  const { sweep, shape } = definition;
  const recorded = new Set<string>();
  for (const trial of lineages.flatMap(({ chains }) => chains.flat()))
    if (training.isRecorded(trial)) recorded.add(trial.id);
  const isDone = ({ id }: Trial) =>
    recorded.has(id) && (networks === undefined || existsSync(networkPath(networks, id)));
  const data = dataSize(shape, sweep.spec.dataset.validation);
  const work = lineages
    .map((lineage) => ({ lineage, seconds: lineageSeconds(lineage, isDone, data) }))
    .filter(({ seconds }) => seconds > 0)
    .sort((a, b) => b.seconds - a.seconds)
    .map(({ lineage }) => lineage);
  if (work.length === 0) return 0;

  const total = new Set(lineages.flatMap(({ chains }) => chains.flat().map(({ id }) => id))).size;
  // A process has one TensorFlow, and that takes all cores.
  const together =
    engine.tfjs === undefined ? 1 : Math.min(work.length, lineagesPerEngine(engine.tfjs, work, sweep.spec));
  if (engine.tfjs !== undefined) configureTensorFlow();
  const workers = engine.tfjs === undefined ? Math.min(training.workers, work.length) : 1;
  status.say(
    `${sweep.metadata.name}: ${total} trials, ${recorded.size} recorded, ${work.length} of ${lineages.length} lineages to work on with ${workers} ${workers === 1 ? 'worker' : 'workers'}${together > 1 ? `, ${together} together` : ''}`,
  );
  if (engine.tfjs === undefined && !HAS_FUSED_MULTIPLY_ADD)
    status.say(
      'This processor has no fused multiply-add. It is emulated, for the same records as elsewhere; training takes some 30 times as long.',
    );
  let loaded: SharedImages | undefined;
  const images = () => {
    loaded ??= loadDataset(sweep.spec.dataset);
    return loaded;
  };
  const ofPart = work.map((lineage) => ({ ...lineage, chains: trialsOf(lineage, part) }));
  const timeLeft = new TimeLeft(ofPart, isDone, data, workers, performance.now() / 1000);
  const failed = new Set<string>();
  const stopping = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  training.signal?.addEventListener('abort', () => Atomics.store(stopping, 0, 1));
  await runPool(
    require.resolve('../trainer/worker'),
    workers,
    work,
    isDone,
    (worker): WorkerData => ({
      ...{ worker, images: images(), stopping },
      ...(engine.tfjs === undefined ? {} : { tfjs: { path: engine.tfjs.path, together } }),
      ...(part === undefined ? {} : { part }),
      ...(networks === undefined ? {} : { networks }),
      versions: { prunesweep: version, node: process.versions.node, ...engine.versions },
    }),
    training.checkpoints,
    {
      record: async (record) => {
        await training.publish(record);
        recorded.add(record.id);
        timeLeft.advance(record.id, 1, 1);
      },
      durable: training.durable,
      progress: (news) => {
        training.progress(news);
        timeLeft.advance(news.trial ?? news.lineage, news.epoch / news.epochs, 1 / news.epochs);
        const left = timeLeft.left(performance.now() / 1000);
        status.show(progressText(news, { total, recorded: recorded.size }, left));
      },
      failed: async (trials, reason) => {
        for (const trial of trials) {
          failed.add(trial);
          await training.fail({ trial, reason });
        }
        status.say(`${trials.length} trials failed (${trials.map((id) => id.slice(0, 12)).join(', ')}): ${reason}`);
      },
      atWork: training.atWork,
      stop: () => training.signal?.aborted === true || failed.size > sweep.spec.maxFailedTrials,
    },
  );
  return failed.size;
}
