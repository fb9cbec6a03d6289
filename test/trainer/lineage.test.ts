import { describe, expect, it } from 'vitest';
import type { CheckpointName, LineageCheckpoints, Progress } from '../../bus/bus';
import { decodeCounts } from '../../sweep/counts';
import { gridPoints, lineagesOf } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import type { Lineage } from '../../sweep/trial';
import { WasmEngine } from '../../trainer/engine/wasm';
import { type LineageContext, Stopped, trainLineage } from '../../trainer/lineage';
import { countSurvivors, type Parameters, survivors } from '../../trainer/network';
import { sweepOf } from '../fixtures';
import { randomImages } from './engine/reference';

const shape = { inputs: 60, classes: 4, trainImages: 500, testImages: 200, identity: 'sha256:00' };
const { shared } = randomImages(60, 4, { train: 500, test: 200 });
const recipes = [
  {},
  { recovery: 'regrow' },
  { recovery: 'none', scope: 'layer' },
  { criterion: 'random', schedule: 'oneshot' },
  { keepDense: ['fc3'], scope: 'layer' },
];
const smaller = {
  hiddenWidths: [[17, 9]],
  pruneRatios: [0, 0.5, 0.9, 0.97],
  training: { epochs: 3, batchSize: 64 },
  retraining: { epochs: 2 },
};
const { spec } = sweepOf({ ...smaller, recipes }, shape);
const [lineage] = lineagesOf(spec, shape);

class MemoryCheckpoints implements LineageCheckpoints {
  readonly files = new Map<CheckpointName, Uint8Array>();
  get = (name: CheckpointName) => this.files.get(name);
  put(name: CheckpointName, bytes: Uint8Array) {
    this.files.set(name, bytes.slice());
  }
  clear() {
    this.files.clear();
  }
}

class Killed extends Error {}

/** Runs the lineage; `kill` is asked before each publication and at each epoch, and ends the run by throwing; `news` gets
 * what was told of it. */
async function run(
  records: Map<string, TrialRecord>,
  checkpoints: LineageCheckpoints,
  options: {
    kill?: () => boolean;
    isStopping?: () => boolean;
    secondsBetweenCheckpoints?: number;
    networks?: Map<string, Parameters>;
    lineage?: Lineage;
    news?: Progress[];
  } = {},
) {
  const news = options.news ?? [];
  const mayDie = () => {
    if (options.kill?.()) throw new Killed();
  };
  const context: LineageContext = {
    engine: new WasmEngine(shared),
    bus: {
      publish: async (record) => {
        mayDie();
        expect(records.has(record.id)).toBe(false);
        records.set(record.id, record);
      },
      progress: (progress) => {
        news.push(progress);
        mayDie();
      },
    },
    checkpoints,
    images: { train: 500, validation: false, probe: 0 },
    isDone: ({ id }) => records.has(id),
    keepNetwork: ({ id }, parameters) => options.networks?.set(id, parameters),
    failed: (_, reason) => {
      throw new Error(reason);
    },
    worker: 1,
    versions: {},
    secondsBetweenCheckpoints: options.secondsBetweenCheckpoints ?? 0,
    ...(options.isStopping === undefined ? {} : { isStopping: options.isStopping }),
  };
  await trainLineage(options.lineage ?? lineage!, context);
  return news;
}

const measured = (records: Map<string, TrialRecord>) =>
  gridPoints(spec, shape).map(({ trial }) => {
    const { cost: _, ...rest } = records.get(trial.id)!;
    return rest;
  });

describe('a lineage', () => {
  it('records each of its trials once, with the count that was asked for', async () => {
    const [records, networks, checkpoints] = [
      new Map<string, TrialRecord>(),
      new Map<string, Parameters>(),
      new MemoryCheckpoints(),
    ];
    const news = await run(records, checkpoints, { networks });
    expect(records.size).toBe(20);
    for (const record of records.values()) {
      expect(record.remainingByLayer.reduce((a, b) => a + b)).toBe(record.trial.remainingWeights);
      expect(countSurvivors(survivors(networks.get(record.id)!))).toEqual(record.remainingByLayer);
    }
    expect(news.filter(({ step }) => step === 'dense')).toHaveLength(3);
    expect(checkpoints.files.size).toBe(0);
  });

  it('says which of its inputs have how many survivors', async () => {
    const [records, networks] = [new Map<string, TrialRecord>(), new Map<string, Parameters>()];
    await run(records, new MemoryCheckpoints(), { networks });
    for (const { id, survivorsByInput } of records.values()) {
      const [fc1] = survivors(networks.get(id)!) as [Uint8Array];
      const counts = Array.from({ length: 60 }, (_, i) => fc1.slice(17 * i, 17 * (i + 1)).filter(Boolean).length);
      expect(decodeCounts(survivorsByInput!)).toEqual(counts);
    }
  });

  it('without a ReLU is measured without it', async () => {
    const { spec } = sweepOf({ ...smaller, recipes: [{ linear: ['fc2'] }, {}] }, shape);
    const [linear, plain] = lineagesOf(spec, shape) as [Lineage, Lineage];
    const [one, other] = [new Map<string, TrialRecord>(), new Map<string, TrialRecord>()];
    await run(one, new MemoryCheckpoints(), { lineage: linear });
    await run(other, new MemoryCheckpoints(), { lineage: plain });
    for (const { test, testCorrectWithoutRelu } of one.values()) expect(testCorrectWithoutRelu[1]).toBe(test.correct);
    expect([...one.values()].map(({ test }) => test.loss)).not.toEqual(
      [...other.values()].map(({ test }) => test.loss),
    );
  });

  it('measures the one dense network for every recipe', async () => {
    const records = new Map<string, TrialRecord>();
    await run(records, new MemoryCheckpoints());
    const dense = [...records.values()].filter(({ trial }) => trial.remainingWeights === 60 * 17 + 17 * 9 + 9 * 4);
    expect(dense).toHaveLength(5);
    expect(new Set(dense.map(({ test }) => test.loss)).size).toBe(1);
    expect(dense[0]!.thresholdByLayer).toEqual([0, 0, 0]);
  });

  it('that never lives longer than two steps still ends, in the same records', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    const whole = await run(undisturbed, new MemoryCheckpoints());
    const [records, checkpoints] = [new Map<string, TrialRecord>(), new MemoryCheckpoints()];
    let deaths = 0;
    // Each run dies at its second epoch or publication: one that began from the start would never come to a third.
    for (let alive = false; !alive && deaths < 200; ) {
      let chances = 0;
      try {
        await run(records, checkpoints, { kill: () => ++chances > 1 });
        alive = true;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        deaths++;
      }
    }
    expect(measured(records)).toEqual(measured(undisturbed));
    expect(deaths).toBeLessThanOrEqual(whole.length + undisturbed.size);
    expect(deaths).toBeGreaterThan(20);
  });

  it('asked to end after each epoch, trains none twice, and ends in the same records', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    const whole = await run(undisturbed, new MemoryCheckpoints());
    const [records, checkpoints, news] = [new Map<string, TrialRecord>(), new MemoryCheckpoints(), [] as Progress[]];
    let ends = 0;
    for (let ended = true; ended && ends < 200; ) {
      const before = news.length;
      const isStopping = () => news.length > before;
      // No checkpoint would be due but for the request.
      ended = await run(records, checkpoints, { isStopping, secondsBetweenCheckpoints: 3600, news }).then(
        () => false,
        (error) => {
          if (!(error instanceof Stopped)) throw error;
          return true;
        },
      );
      if (ended) ends++;
    }
    const told = (all: Progress[]) => all.map(({ step, loss, epoch }) => `${step} ${epoch} ${loss}`);
    expect(told(news)).toEqual(told(whole));
    expect(measured(records)).toEqual(measured(undisturbed));
    expect(ends).toBeGreaterThanOrEqual(20);
  });

  it('killed at random moments, ends in the same records', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    await run(undisturbed, new MemoryCheckpoints());
    for (let seed = 1; seed <= 12; seed++) {
      const [records, checkpoints] = [new Map<string, TrialRecord>(), new MemoryCheckpoints()];
      let state = seed;
      for (let alive = false; !alive; ) {
        try {
          await run(records, checkpoints, {
            kill: () => {
              state = (state * 1103515245 + 12345) % 2 ** 31;
              return state % 7 === 0;
            },
          });
          alive = true;
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
        }
      }
      expect(measured(records)).toEqual(measured(undisturbed));
    }
  });

  it('makes only the records that are missing, and they are the same', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    await run(undisturbed, new MemoryCheckpoints());
    const kept = [...undisturbed.values()].filter((_, index) => index % 3 !== 0);
    const records = new Map(kept.map((record) => [record.id, record]));
    await run(records, new MemoryCheckpoints());
    expect(measured(records)).toEqual(measured(undisturbed));
  });

  it('trains nothing when every record is there', async () => {
    const records = new Map<string, TrialRecord>();
    await run(records, new MemoryCheckpoints());
    expect(await run(records, new MemoryCheckpoints())).toEqual([]);
  });
});
