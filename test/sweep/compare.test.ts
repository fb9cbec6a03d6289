import { describe, expect, it } from 'vitest';
import { compare, type MeasuredCell } from '../../sweep/compare';

const cell = (replicates: [seed: number, accuracy: number, trial?: string][], network = '300-100'): MeasuredCell => ({
  ...{ network, recipe: 'magnitude/global/masked/iterative', remainingWeights: 2657 },
  replicates: replicates.map(([seed, accuracy, trial = `${network} ${accuracy}`]) => ({ seed, accuracy, trial })),
});

describe('the comparison of two sweeps', () => {
  it('pairs replicates by seed, whatever their order, and leaves out what has no partner', () => {
    const first = cell([
      [1, 0.95],
      [2, 0.96],
      [3, 0.93],
      [7, 0.1],
    ]);
    const second = cell([
      [3, 0.94],
      [1, 0.97],
      [2, 0.965],
      [8, 0.2],
    ]);
    const [found] = compare([first], [second]);
    // scipy.stats: mean [0.02, 0.005, 0.01]; t.interval(0.95, 2, mean, sem)
    expect(found).toMatchObject({ first: { n: 4 }, second: { n: 4 }, pairs: 3, same: 0 });
    expect(found!.difference).toBeCloseTo(0.0116666667, 9);
    expect(found!.low).toBeCloseTo(-0.0073062485, 9);
    expect(found!.high).toBeCloseTo(0.0306395818, 9);
  });

  it('says which pairs are one trial', () => {
    const one = cell([
      [1, 0.95, 'a'],
      [2, 0.96, 'b'],
    ]);
    const other = cell([
      [1, 0.95, 'a'],
      [2, 0.97, 'c'],
    ]);
    expect(compare([one], [other])[0]).toMatchObject({ pairs: 2, same: 1 });
    expect(compare([one], [one])[0]).toMatchObject({ pairs: 2, same: 2, difference: 0, low: 0, high: 0 });
  });

  it('has the cells of one sweep alone, without a difference', () => {
    const found = compare([cell([[1, 0.9]])], [cell([[1, 0.8]], '600-100')]);
    expect(
      found.map(({ network, first, second, difference }) => [network, first?.mean, second?.mean, difference]),
    ).toEqual([
      ['300-100', 0.9, undefined, undefined],
      ['600-100', undefined, 0.8, undefined],
    ]);
  });

  it('has no difference without a seed in common, and no interval from one pair', () => {
    expect(compare([cell([[1, 0.9]])], [cell([[2, 0.8]])])[0]).not.toHaveProperty('difference');
    const [single] = compare([cell([[1, 0.9]])], [cell([[1, 0.8]])]);
    expect(single!.difference).toBeCloseTo(-0.1, 12);
    expect(single).not.toHaveProperty('low');
  });
});
