import { describe, expect, it } from 'vitest';
import { csvRows, studyFrom } from '../study';

const spec = {
  hiddenWidths: [
    [300, 100],
    [600, 100],
  ],
  pruneRatios: [0, 0.9, 0.99],
  recipes: [{ recovery: 'masked' }, { recovery: 'none', schedule: 'oneshot' }],
  training: { epochs: 20 },
  retraining: { epochs: 4 },
  seeds: 3,
};

/** An epoch takes 2 s dense, and half a second and 0.125 s pruned; 600-100 takes twice of it. */
const SECONDS: Record<number, number> = { 1: 2, 10: 0.5, 100: 0.125 };
const FLOPS: Record<number, number> = { 1: 0.8, 10: 0.08, 100: 0.004 };

const study = studyFrom([spec], (point) => {
  const { seed, trial, network } = point;
  const total = network === '300-100' ? 266_200 : 531_400;
  const compression = Math.round(total / trial.content.remainingWeights);
  const epochs = compression === 1 ? 20 : 4;
  const times = (network === '300-100' ? 1 : 2) * (trial.content.recipe.recovery === 'none' ? 1000 : 1);
  const isDense = compression === 1;
  return {
    flopFraction: FLOPS[compression]!,
    // 1 % of an epoch less and 40 % more beside the middle seed.
    cost: {
      ...{ evaluationSeconds: 99, worker: 1, host: 'host', versions: {} },
      trainingSeconds: epochs * SECONDS[compression]! * (isDense ? 1 : times) * [0.99, 1, 1.4][seed - 1]!,
    },
  };
});

describe('the cost', () => {
  const rows = csvRows('cost', study);
  const at = (network: string, compression: number) =>
    rows.find((row) => row.network === network && Math.round(row.compression as number) === compression)!;

  it('is seconds of training by epochs, dense ones by those of training, pruned ones by those of retraining', () => {
    expect(rows).toHaveLength(6);
    expect(at('300-100', 1).epoch_seconds).toBeCloseTo(2, 10);
    expect(at('300-100', 10).epoch_seconds).toBeCloseTo(0.5, 10);
    expect(at('600-100', 100).epoch_seconds).toBeCloseTo(0.25, 10);
    expect(at('300-100', 10)).toMatchObject({ n: 3 });
    expect(at('300-100', 10).low).toBeCloseTo(0.495, 10);
    expect(at('300-100', 10).high).toBeCloseTo(0.7, 10);
  });

  it('has the measured speed-up beside the theoretical: multiplications of the dense network by those left', () => {
    expect(at('300-100', 1)).toMatchObject({ speedup_measured: 1, speedup_theoretical: 1 });
    expect(at('300-100', 100).speedup_measured).toBeCloseTo(16, 10);
    expect(at('300-100', 100).speedup_theoretical).toBeCloseTo(0.8 / 0.004, 8);
    expect(at('600-100', 10).speedup_measured).toBeCloseTo(2, 10);
    expect(at('600-100', 10).speedup_theoretical).toBeCloseTo(10, 10);
  });
});
