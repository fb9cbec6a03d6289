import { describe, expect, it } from 'vitest';
import type { CheckpointName, LineageCheckpoints, Progress } from '../../bus/bus';
import { decodeCounts } from '../../sweep/counts';
import { gridPoints, lineagesOf } from '../../sweep/grid';
import type { Part } from '../../sweep/packs';
import type { TrialRecord } from '../../sweep/record';
import type { Lineage } from '../../sweep/trial';
import type { Engine } from '../../trainer/engine/engine';
import { TfjsEngine } from '../../trainer/engine/tfjs';
import { WasmEngine } from '../../trainer/engine/wasm';
import { type LineageContext, Stopped, trainLineage } from '../../trainer/lineage';
import { countSurvivors, type Parameters, survivors } from '../../trainer/network';
import { sweepOf } from '../fixtures';
import { hasTfjs, tfjsBinding, whyNoTfjs } from '../servers/tfjs';
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
const TOTAL = 60 * 17 + 17 * 9 + 9 * 4;

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
    part?: Part;
    engine?: Engine;
    versions?: Record<string, string>;
  } = {},
) {
  const news = options.news ?? [];
  const mayDie = () => {
    if (options.kill?.()) throw new Killed();
  };
  const context: LineageContext = {
    engine: options.engine ?? new WasmEngine(shared),
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
    versions: options.versions ?? {},
    ...(options.part === undefined ? {} : { part: options.part }),
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
    const dense = [...records.values()].filter(({ trial }) => trial.remainingWeights === TOTAL);
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

  it('in two parts leaves its dense network between them, and ends in the same records', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    const whole = await run(undisturbed, new MemoryCheckpoints());
    const [records, checkpoints] = [new Map<string, TrialRecord>(), new MemoryCheckpoints()];
    const dense = await run(records, checkpoints, { part: 'dense' });
    expect(dense.map(({ step }) => step)).toEqual(['dense', 'dense', 'dense']);
    expect([...records.values()].map(({ trial }) => trial.remainingWeights)).toEqual(Array(5).fill(TOTAL));
    expect([...checkpoints.files].map(([name, { length }]) => [name, length > 0])).toEqual([
      ['fit', false],
      ['dense', true],
    ]);
    expect(await run(records, checkpoints, { part: 'dense' })).toEqual([]);
    expect(checkpoints.get('dense')).toBeDefined();
    const pruned = await run(records, checkpoints, { part: 'pruned' });
    expect(dense.length + pruned.length).toBe(whole.length);
    expect(measured(records)).toEqual(measured(undisturbed));
    expect(checkpoints.files.size).toBe(0);
    expect([...records.values()].filter(({ cost }) => 'denseEngine' in cost.versions)).toEqual([]);
  });

  it('of which nothing is pruned leaves no checkpoint to those who prune', async () => {
    const { spec } = sweepOf({ ...smaller, pruneRatios: [0] }, shape);
    const [records, checkpoints] = [new Map<string, TrialRecord>(), new MemoryCheckpoints()];
    await run(records, checkpoints, { part: 'dense', lineage: lineagesOf(spec, shape)[0]! });
    expect([records.size, checkpoints.files.size]).toEqual([1, 0]);
  });

  it('whose dense network was lost between its parts has it trained again, and recorded once', async () => {
    const undisturbed = new Map<string, TrialRecord>();
    await run(undisturbed, new MemoryCheckpoints());
    const records = new Map<string, TrialRecord>();
    await run(records, new MemoryCheckpoints(), { part: 'dense' });
    await run(records, new MemoryCheckpoints(), { part: 'pruned' });
    expect(measured(records)).toEqual(measured(undisturbed));
  });

  it('trains nothing when every record is there', async () => {
    const records = new Map<string, TrialRecord>();
    await run(records, new MemoryCheckpoints());
    expect(await run(records, new MemoryCheckpoints())).toEqual([]);
  });
});

describe.runIf(hasTfjs)(`a lineage of two engines${whyNoTfjs}`, () => {
  it('is pruned by wasm from what tfjs trained, to the last bit of it, and its records say who did what', async () => {
    const [records, checkpoints, networks] = [
      new Map<string, TrialRecord>(),
      new MemoryCheckpoints(),
      new Map<string, Parameters>(),
    ];
    const tfjs = { engine: new TfjsEngine(shared, tfjsBinding()), versions: { tfjs: '4.22.0' } };
    // Killed after its first epoch: what TensorFlow goes on from is a checkpoint as well.
    let epochs = 0;
    await expect(run(records, checkpoints, { ...tfjs, part: 'dense', kill: () => ++epochs > 1 })).rejects.toThrow(
      Killed,
    );
    const dense = await run(records, checkpoints, { ...tfjs, part: 'dense', networks });
    expect(dense.map(({ epoch }) => epoch)).toEqual([2, 3]);
    await run(records, checkpoints, { part: 'pruned', networks });
    const engines = [...records.values()].map(
      ({ engine, trial, cost }) =>
        `${trial.remainingWeights === TOTAL ? 'dense' : 'pruned'} ${engine} ${JSON.stringify(cost.versions)}`,
    );
    expect(new Set(engines)).toEqual(
      new Set(['dense tfjs {"tfjs":"4.22.0"}', 'pruned wasm {"denseEngine":"tfjs 4.22.0"}']),
    );
    expect(records.size).toBe(20);
    const of = (recovery: string, remaining: number) =>
      [...records.values()].find(
        ({ trial }) => trial.recipe.recovery === recovery && trial.remainingWeights === remaining,
      )!;
    const [from, left] = [networks.get(of('none', TOTAL).id)!, networks.get(of('none', Math.round(TOTAL / 2)).id)!];
    for (const [l, weights] of left.weights.entries())
      for (const [i, weight] of weights.entries()) if (weight !== 0) expect(weight).toBe(from.weights[l]![i]);
    expect(of('masked', Math.round(TOTAL / 2)).test.loss).toBeLessThan(1.1 * of('none', TOTAL).test.loss);
  });
});
