import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineagesTogether } from '../../sweep/packs';
import { classPlan, type PartCost } from '../../trainer/podclasses';
import { MNIST, sweepOf } from '../fixtures';

const SPEC = { hiddenWidths: [[300, 100]], pruneRatios: [0, 0.5, 0.9, 0.99], seeds: 20 };
const planOf = (spec: object = {}, gpuPrice?: number) => {
  const template = { accelerator: 'gpu', ...(gpuPrice === undefined ? {} : { gpuPrice }) };
  return classPlan({ sweep: sweepOf({ ...SPEC, template, ...spec }), shape: MNIST });
};
const one = (parts: readonly PartCost[], density: number) => parts.find((part) => part.density === density)!;
/** At which a GPU costs as much as a core for what is pruned to 10 %, however fast either is. */
const even = (spec: object = {}) => {
  const { coreSeconds, gpuSeconds } = one(planOf(spec).parts, 0.1);
  return coreSeconds / gpuSeconds;
};

describe('what is cheaper on which pods', () => {
  const CASES: [string, object, number, PartCost['cheaper'][], [least: number, most: number]][] = [
    ['is a GPU for all, when it costs nothing', {}, 1e-6, ['gpu', 'gpu', 'gpu', 'gpu'], [0, 0]],
    ['is a core for all, when a GPU costs a fortune', {}, 1e6, ['cpu', 'cpu', 'cpu', 'cpu'], [1, 1]],
    ['turns where both cost the same', {}, even(), ['gpu', 'gpu', 'cpu', 'cpu'], [0.0999, 0.1001]],
    ['turns lower at a lower price', {}, 0.9 * even(), ['gpu', 'gpu', 'gpu', 'cpu'], [0.01, 0.0999]],
    [
      'turns at the same density whatever the recipes, as long as survivors are retrained',
      { recipes: [{}, { criterion: 'random' }], retraining: { epochs: 9 } },
      even(),
      ['gpu', 'gpu', 'cpu', 'cpu'],
      [0.0999, 0.1001],
    ],
  ];
  it.each(CASES)('%s', (_, spec, price, cheaper, [least, most]) => {
    const { parts, turns } = planOf(spec, price);
    expect(parts.map(({ density }) => density)).toEqual([1, 0.5, 0.1, 0.01]);
    expect(parts.map((part) => part.cheaper)).toEqual(cheaper);
    expect(turns).toEqual([{ network: '300-100', density: expect.any(Number) }]);
    expect(turns[0]!.density).toBeGreaterThanOrEqual(least);
    expect(turns[0]!.density).toBeLessThanOrEqual(most);
  });

  it('agrees for each part with the density at which it turns', () => {
    const grids = fc.record({
      hiddenWidths: fc.tuple(fc.array(fc.integer({ min: 8, max: 3000 }), { minLength: 1, maxLength: 3 })),
      seeds: fc.integer({ min: 1, max: 300 }),
      batchSize: fc.integer({ min: 8, max: 1024 }),
    });
    fc.assert(
      fc.property(grids, fc.double({ min: 0.1, max: 200, noNaN: true }), ({ batchSize, ...spec }, price) => {
        const { parts, turns } = planOf({ ...spec, training: { batchSize } }, price);
        const [turn] = turns;
        for (const { part, density, cheaper } of parts)
          if (part === 'pruned' && (density < 0.25 || turn!.density === 1))
            expect(cheaper, `${density} of ${turn!.density}`).toBe(density <= turn!.density ? 'cpu' : 'gpu');
      }),
    );
  });

  it('costs on a GPU what whole arrays cost, whatever is left of the weights', () => {
    const { parts } = planOf();
    expect(one(parts, 0.01).gpuSeconds).toBe(one(parts, 0.5).gpuSeconds);
    expect(one(parts, 0.01).coreSeconds).toBeLessThan(one(parts, 0.5).coreSeconds);
  });

  it('costs less of a GPU a lineage, the more lineages there are for a pack, until it is full', () => {
    const full = lineagesTogether([784, 300, 100, 10], 128, {});
    const aLineage = (seeds: number) => planOf({ seeds }).parts[0]!.gpuSeconds / seeds;
    expect(aLineage(1)).toBeGreaterThan(2 * aLineage(full));
    expect(aLineage(3 * full)).toBeCloseTo(aLineage(full), 9);
  });

  it('adds up: dense training and pruning, on one class of pods or on both', () => {
    const { parts, worth, gpuPrice } = planOf({ recipes: [{}, { l2: 0.01 }, { recovery: 'regrow' }] });
    const sum = (some: readonly PartCost[], seconds: 'coreSeconds' | 'gpuSeconds') =>
      some.reduce((total, part) => total + part[seconds], 0);
    expect(gpuPrice).toBe(60);
    expect(worth.cpu).toBeCloseTo(sum(parts, 'coreSeconds'), 6);
    expect(worth.gpu).toBeCloseTo(60 * sum(parts, 'gpuSeconds'), 6);
    const [dense, ...pruned] = parts;
    expect(worth.mixed).toBeCloseTo(60 * dense!.gpuSeconds + sum(pruned, 'coreSeconds'), 6);
  });
});
