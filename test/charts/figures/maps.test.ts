import { describe, expect, it } from 'vitest';
import { encodeCounts } from '../../../sweep/counts';
import { ARTICLE, csvRows, HAN, make, studyFrom } from '../study';

/** Each pixel's count is its place and the seed. */
const survivorsByInput = (seed: number) => encodeCounts(Array.from({ length: 784 }, (_, input) => input + seed));

describe("the article's maps", () => {
  it('are the means of the maps in the records, pixel by pixel, of every network at 2,657 weights', () => {
    const study = studyFrom([ARTICLE], ({ seed, trial: { content } }) => {
      const isShown = content.remainingWeights === 2657 && content.recipe.recovery === 'masked';
      return { survivorsByInput: survivorsByInput(isShown ? seed : 100_000) };
    });
    const rows = csvRows('article-maps', study);
    expect(rows).toHaveLength(6 * 784);
    const row = rows.find(({ network, x, y }) => network === '600-100' && x === 3 && y === 2)!;
    // Row 2, column 3 is input 59; seeds 1 to 3 are 2 in the mean.
    expect(row).toMatchObject({ input: 59, weights: 61, n: 3, remaining_weights: 2657 });
  });
});

describe("Han et al.'s Figure 4", () => {
  it("is the mean map of their recipe at their share, of the network's 784 inputs in order", () => {
    const study = studyFrom([HAN], ({ seed, recipe, trial: { content } }) => {
      const isShown = content.remainingWeights === 21_828 && recipe.schedule === 'iterative';
      return { survivorsByInput: survivorsByInput(isShown ? 2 * seed : 100_000) };
    });
    const rows = csvRows('han-figure4', study);
    expect(rows.map(({ input }) => input)).toEqual([...Array(784).keys()]);
    for (const { input, weights, x, y } of rows) {
      expect(weights).toBe(Number(input) + 4);
      expect(Number(x) + 28 * Number(y)).toBe(input);
    }
    expect(make('han-figure4', study).drawn.note).toContain('21,828');
  });
});
