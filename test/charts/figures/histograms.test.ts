import { describe, expect, it } from 'vitest';
import { encodeCounts } from '../../../sweep/counts';
import type { Histogram } from '../../../sweep/record';
import { ARTICLE, csvRows, HAN, studyFrom } from '../study';

/** Four bins, of which each count says where it comes from. */
const histogram = (limit: number, first: number): Histogram => ({
  limit,
  counts: encodeCounts([first, first + 1, first + 2, 0]),
});
const histograms = (first: number) => ({
  all: histogram(1, first),
  layers: [histogram(0.5, first + 100), histogram(0.25, first + 200), histogram(2, first + 300)],
});

describe("the article's histograms", () => {
  const study = studyFrom([{ ...ARTICLE, hiddenWidths: [[600, 100]] }], ({ seed, trial: { content } }) => ({
    histograms: histograms(1000 * seed + (content.remainingWeights === 2657 ? 500 : 0)),
  }));
  const rows = csvRows('article-histograms', study);
  const of = (place: string, stage: string) => rows.filter((row) => row.place === place && row.stage === stage);

  it('are those of the records of the lowest seed, all weights and each layer, before and after', () => {
    expect(rows).toHaveLength(2 * 4 * 4);
    expect(of('all', 'dense').map(({ weights }) => weights)).toEqual([1000, 1001, 1002, 0]);
    expect(of('all', 'pruned').map(({ weights }) => weights)).toEqual([1500, 1501, 1502, 0]);
    expect(of('fc3', 'pruned').map(({ weights }) => weights)).toEqual([1800, 1801, 1802, 0]);
  });

  it('have bins of equal width from -limit to limit', () => {
    const edges = of('fc2', 'dense').map(({ bin_low, bin_high }) => [bin_low, bin_high]);
    expect(edges).toEqual([
      [-0.25, -0.125],
      [-0.125, 0],
      [0, 0.125],
      [0.125, 0.25],
    ]);
  });
});

describe("Han et al.'s Figure 7", () => {
  it('shows fc1 of one network dense, pruned and retrained, at their share', () => {
    const study = studyFrom([HAN], ({ seed, recipe, trial: { content } }) => {
      const isShare = content.remainingWeights === 21_828;
      const isTheirs = recipe.l2 !== undefined && recipe.schedule === 'oneshot';
      const stage = !isShare ? 0 : recipe.recovery === 'none' ? 10 : 20;
      return { histograms: histograms(1000 * seed + stage + (isTheirs ? 0 : 500)) };
    });
    const rows = csvRows('han-figure7', study);
    const first = (stage: string) => rows.find((row) => row.stage === stage)!.weights;
    expect(rows).toHaveLength(3 * 4);
    expect(new Set(rows.map(({ place }) => place))).toEqual(new Set(['fc1']));
    expect([first('dense'), first('pruned'), first('retrained')]).toEqual([1100, 1110, 1120]);
  });
});
