/** `prunesweep trainer`: one pack of a sweep, its records to NATS. */
import type { NatsOptions } from '../bus/nats/connect';
import { UsageError } from '../sweep/errors';
import { packCount, packOf } from '../sweep/grid';
import { networkName, recipeName } from '../sweep/networks';
import { type Part, templateOf } from '../sweep/packs';
import type { TrialRecord } from '../sweep/record';
import { chooseEngine, type EngineChoice, engineOfPod } from '../trainer/engine/choose';
import { askTfjs } from '../trainer/engine/tfjs/ask';
import { openLine } from './line';
import { log } from './log';
import { loadSweep } from './sweepfile';
import { train } from './train';

export interface TrainerOptions {
  sweep: string;
  pack: number;
  /** What of its lineages it does; all when absent. */
  part?: Part;
  workers: number;
  /** By the sweep's template if nothing else is said. */
  engine?: EngineChoice;
  nats: NatsOptions;
}

const SECONDS_BETWEEN_LINES = 5;
/** How long a trainer that is asked to end may take for the epoch at work and to make what it did durable; pods have 30 s. */
const GRACE_MILLISECONDS = 25_000;

/** `recorded 300-100 seed 1 · magnitude/global/masked/iterative 2662 · 96.33 % test accuracy`. */
function recordedText({ trial: { hiddenWidths, seed, recipe, remainingWeights }, test }: TrialRecord): string {
  const accuracy = `${((100 * test.correct) / test.images).toFixed(2)} % test accuracy`;
  return `recorded ${networkName(hiddenWidths)} seed ${seed} · ${recipeName(recipe)} ${remainingWeights} · ${accuracy}`;
}

/** @returns the exit code: 0 when every trial of the pack is recorded, 1 when some failed, 130 or 143 when it was asked to end */
export async function trainer({
  sweep: file,
  pack,
  part,
  workers,
  engine: wanted,
  nats,
}: TrainerOptions): Promise<number> {
  const logger = log('trainer');
  const definition = loadSweep(file);
  const { sweep, shape } = definition;
  const lineages = packOf(sweep.spec, shape, pack, part);
  if (lineages.length === 0)
    throw new UsageError(
      `--pack: ${pack} is not a pack of ${sweep.metadata.name}; give 0 to ${packCount(sweep.spec, shape, part) - 1}`,
    );
  const say = (line: string) => logger.info(line);
  // Before NATS: a pod without its GPU has nothing to ask there.
  const template = templateOf(sweep.spec.template, part);
  const engine = wanted === undefined ? engineOfPod(template, askTfjs) : chooseEngine(wanted, askTfjs);
  if (engine.note !== undefined) logger.info(engine.note);
  const line = await openLine({
    ...{ nats, definition, pack: `${part ?? 'pack'}-${pack}`, by: 'trainer' },
    say: (text) => logger.warn(text),
    acknowledged: (record) => logger.info({ trial: record.id }, recordedText(record)),
  });
  const ending = new AbortController();
  let exitCode: number | undefined;
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    say(`${signal}: ends after the epoch at work; the same command goes on from there`);
    exitCode = signal === 'SIGINT' ? 130 : 143;
    ending.abort();
    setTimeout(() => process.exit(exitCode), GRACE_MILLISECONDS).unref();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let lastLine = 0;
  const show = (text: string) => {
    const now = performance.now() / 1000;
    if (lastLine > 0 && now - lastLine < SECONDS_BETWEEN_LINES) return;
    lastLine = now;
    say(text);
  };
  const work = async () => {
    const trials = lineages.flatMap(({ chains }) => chains.flat().map(({ id }) => id));
    const recorded = await line.ledger.recorded([...new Set(trials)]);
    return train({
      ...(part === undefined ? {} : { part }),
      ...{ definition, lineages, workers, engine, checkpoints: line.checkpoints, status: { say, show } },
      isRecorded: ({ id }) => recorded.has(id),
      publish: (record) => line.queue.publish(record),
      durable: () => line.queue.drained(),
      fail: (failure) => line.ledger.fail(failure),
      progress: (news) => line.news.progress(news),
      atWork: (ids) => line.announce(ids),
      signal: ending.signal,
    });
  };
  const failed = await work().finally(() => line.close());
  if (exitCode !== undefined) return exitCode;
  const done = part === 'dense' ? 'every dense network is trained' : 'every trial is recorded';
  say(`${part ?? 'pack'} ${pack}: ${failed === 0 ? done : `${failed} trials failed`}`);
  return failed === 0 ? 0 : 1;
}
