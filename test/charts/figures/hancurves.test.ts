import { describe, expect, it } from 'vitest';
import { csvRows, HAN, halfOfThree, studyFrom } from '../study';

const TOTAL = 266_200;

describe("Han et al.'s Figure 5", () => {
  /** Images lost at each count, and one more a seed; with L1 twice, and ten times without retraining. */
  const LOST: Record<number, number> = { 266200: 0, 133100: 10, 21828: 40, 5324: 100 };
  const study = studyFrom([HAN], ({ seed, recipe, trial: { content } }) => {
    const { remainingWeights } = content;
    const times = (recipe.l2 === undefined ? 2 : 1) * (recipe.recovery === 'none' ? 10 : 1);
    const iterative = recipe.schedule === 'iterative' && remainingWeights < TOTAL ? 5 : 0;
    // Dense networks differ by 20 images between seeds: pairs do not.
    const noise = remainingWeights === TOTAL ? 0 : seed - 2;
    return 9800 + 20 * seed - times * LOST[remainingWeights]! + iterative + noise;
  });
  const rows = csvRows('han-figure5', study);
  const at = (curve: string, weights: number) =>
    rows.find((row) => row.curve === curve && row.remaining_weights === weights)!;

  it('has five curves, each from the dense network on', () => {
    expect(rows).toHaveLength(5 * 4);
    for (const row of rows.filter(({ remaining_weights }) => remaining_weights === TOTAL))
      expect(row).toMatchObject({ change_points: 0, low: 0, high: 0, n: 3, remaining_percent: 100 });
  });

  it('has the mean change of the accuracy beside the dense network of the same seed and penalty', () => {
    expect(at('L2, retraining', 133_100).change_points).toBeCloseTo(-0.1, 10);
    expect(at('L1, retraining', 21_828).change_points).toBeCloseTo(-0.8, 10);
    expect(at('L2, no retraining', 5324).change_points).toBeCloseTo(-10, 10);
    expect(at('L1, no retraining', 5324).change_points).toBeCloseTo(-20, 10);
    expect(at('L2, iterative retraining', 5324).change_points).toBeCloseTo(-0.95, 10);
    expect(at('L2, iterative retraining', 21_828).remaining_percent).toBeCloseTo(8.2, 2);
  });

  it('has intervals of the paired differences, which what seeds have in common does not widen', () => {
    const row = at('L1, retraining', 21_828);
    expect(row.high).toBeCloseTo(-0.8 + halfOfThree(0.01), 8);
    expect(row.low).toBeCloseTo(-0.8 - halfOfThree(0.01), 8);
  });
});

describe("Han et al.'s Figure 6", () => {
  const DENSE = [235_200, 30_000, 1000];
  const alone = (layer: number, lefts: number[]) => ({
    pruneRatios: [0],
    remainingWeights: lefts.map((left) => TOTAL - DENSE[layer]! + left),
    recipes: [
      { recovery: 'none', schedule: 'oneshot', keepDense: ['fc1', 'fc2', 'fc3'].filter((_, l) => l !== layer) },
    ],
    seeds: 3,
  });
  const LEFT = [
    [117_600, 23_520],
    [15_000, 3000],
    [500, 100],
  ];
  const study = studyFrom(
    LEFT.map((lefts, layer) => alone(layer, lefts)),
    ({ seed, recipe, trial: { content } }) => {
      const layer = [0, 1, 2].find((l) => !recipe.keepDense!.includes(`fc${l + 1}`))!;
      const left = content.remainingWeights - (TOTAL - DENSE[layer]!);
      const lost = left === DENSE[layer] ? 0 : (layer + 1) * (left === LEFT[layer]![0] ? 100 : 300);
      return {
        test: { correct: 9800 + 10 * seed - lost, images: 10_000, loss: 0.1 },
        remainingByLayer: DENSE.map((dense, l) => (l === layer ? left : dense)),
      };
    },
  );
  const rows = csvRows('han-figure6', study);

  it("has each layer's own share left, and what pruning it alone changes", () => {
    expect(rows.map((row) => [row.curve, Math.round(row.remaining_percent as number), row.remaining_weights])).toEqual([
      ...[
        ['fc1', 100, TOTAL],
        ['fc1', 50, 148_600],
        ['fc1', 10, 54_520],
      ],
      ...[
        ['fc2', 100, TOTAL],
        ['fc2', 50, 251_200],
        ['fc2', 10, 239_200],
      ],
      ...[
        ['fc3', 100, TOTAL],
        ['fc3', 50, 265_700],
        ['fc3', 10, 265_300],
      ],
    ]);
    const changes = [0, -1, -3, 0, -2, -6, 0, -3, -9];
    for (const [at, row] of rows.entries()) {
      expect(row.change_points).toBeCloseTo(changes[at]!, 10);
      expect(row.n).toBe(3);
    }
  });
});
