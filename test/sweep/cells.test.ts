import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cells } from '../../sweep/cells';
import { gridPoints } from '../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../fixtures';

const { spec } = sweepOf({
  hiddenWidths: [[5], [4, 3]],
  pruneRatios: [0, 0.9],
  seeds: 3,
  recipes: [{}, { recovery: 'none' }],
});
const points = gridPoints(spec, MNIST);
const records = points.map((point, index) => recordOf(point, 9000 + 7 * index));
const byId = (list: typeof records) => new Map(list.map((record) => [record.id, record]));

describe('the comparison table', () => {
  it('has a cell for each network, recipe and target, over the seeds', () => {
    const table = cells(points, byId(records));
    expect(table).toHaveLength(8);
    expect(table[0]).toMatchObject({
      network: '5',
      recipe: 'magnitude/global/masked/iterative',
      pruneRatio: 0,
      n: 3,
      N: 3,
    });
    expect(table[0]!.mean).toBeCloseTo(0.9007, 12);
  });

  it('counts a missing trial as missing, and averages the others', () => {
    const table = cells(points, byId(records.slice(1, 3)));
    expect(table[0]).toMatchObject({ n: 2, N: 3 });
    expect(table[0]!.mean).toBeCloseTo(0.90105, 12);
    expect(table[1]).toEqual({
      network: '5',
      recipe: 'magnitude/global/masked/iterative',
      pruneRatio: 0.9,
      remainingWeights: 397,
      n: 0,
      N: 3,
    });
  });

  it('does not depend on the order in which records came', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: 0 }), (some) => {
        const inGridOrder = records.filter((record) => some.includes(record));
        expect(cells(points, byId(some))).toEqual(cells(points, byId(inGridOrder)));
      }),
      { numRuns: 30 },
    );
  });
});
