import { describe, expect, it } from 'vitest';
import type { GridPoint } from '../../../sweep/grid';
import { correct, csvRows, HAN, halfOfThree, studyFrom } from '../study';

const TOTAL = 266_200;
/** 8.2 % of 266,200, and how it lies: 8 %, 9 % and 31.2 % of the layers. */
const LEFT = 21_828;
const BY_LAYER = [18_816, 2700, 312];

const isTheirs = ({ recipe }: GridPoint) => recipe.schedule === 'iterative' && recipe.l2 === 0.0001;

/** Dense 1.63 % error in the mean, at 8.2 % 1.58 %; 1 and 3 images between seeds. Every other recipe is much worse. */
const study = studyFrom([HAN], (point) => {
  const { seed, trial } = point;
  const { remainingWeights } = trial.content;
  if (!isTheirs(point) && remainingWeights < TOTAL) return 5000;
  if (remainingWeights === TOTAL) return 9835 + seed;
  if (remainingWeights !== LEFT) return 9000;
  return {
    ...correct(9836 + 3 * seed),
    remainingByLayer: BY_LAYER,
    activeMean: [114 + seed, 60 + 2 * seed],
    flopFraction: 0.05 + 0.01 * seed,
  };
});

describe("Han et al.'s Table 1", () => {
  const rows = csvRows('han-table1', study);

  it('has their recipe before and after, beside theirs', () => {
    expect(rows.map(({ network, source }) => `${network}, ${source}`)).toEqual([
      ...['dense, Han et al.', 'dense, ours', 'pruned, Han et al.', 'pruned, ours'],
    ]);
    expect(rows[0]).toMatchObject({ error_percent: 1.64, weights: '267K', compression: 1 });
    expect(rows[2]).toMatchObject({ error_percent: 1.59, weights: '22K', compression: 12 });
  });

  it('has our mean error of three seeds, its interval, and the compression', () => {
    expect(rows[1]!.error_percent).toBeCloseTo(1.63, 10);
    expect(rows[1]!.high_percent).toBeCloseTo(1.63 + halfOfThree(0.01), 8);
    expect(rows[3]!.error_percent).toBeCloseTo(1.58, 10);
    expect(rows[3]!.high_percent).toBeCloseTo(1.58 + halfOfThree(0.03), 8);
    expect(rows[3]!.compression).toBeCloseTo(TOTAL / LEFT, 12);
    expect(rows[3]).toMatchObject({ weights: '21.8k', n: 3 });
  });
});

describe("Han et al.'s Table 2", () => {
  const [fc1, fc2, fc3, total] = csvRows('han-table2', study);

  it('has what each layer has left of its own weights', () => {
    expect([fc1, fc2, fc3, total].map((row) => [row!.layer, row!.weights])).toEqual([
      ...[
        ['fc1', 235_200],
        ['fc2', 30_000],
        ['fc3', 1000],
        ['total', TOTAL],
      ],
    ]);
    for (const [row, percent] of [
      [fc1, 8],
      [fc2, 9],
      [fc3, 31.2],
      [total, 8.2],
    ] as const)
      expect(row!.remaining_percent).toBeCloseTo(percent, 2);
  });

  it('counts as active what is above zero on average over test images and seeds, and all outputs', () => {
    // Seeds 1 to 3: 116 of 300 and 64 of 100 in the mean; in total with the ten outputs.
    expect(fc1!.active_percent).toBeCloseTo((100 * 116) / 300, 10);
    expect(fc2!.active_percent).toBeCloseTo(64, 10);
    expect(fc3!.active_percent).toBe(100);
    expect(total!.active_percent).toBeCloseTo((100 * (116 + 64 + 10)) / 410, 10);
  });

  it('multiplies the weights left with the active share of the layer before', () => {
    expect(fc1!.flop_percent).toBeCloseTo(8, 10);
    expect(fc2!.flop_percent).toBeCloseTo((9 * 116) / 300, 10);
    expect(fc3!.flop_percent).toBeCloseTo(31.2 * 0.64, 10);
    expect(total!.flop_percent).toBeCloseTo(7, 10);
  });

  it('has theirs beside ours', () => {
    expect(fc2).toMatchObject({ han_active_percent: 65, han_remaining_percent: 9, han_flop_percent: 4, n: 3 });
  });
});
