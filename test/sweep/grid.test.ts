import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridPoints, gridSize, lineagesOf, targetsOf } from '../../sweep/grid';
import { MNIST, sweepOf } from '../fixtures';

const ids = (spec: object) => gridPoints(sweepOf(spec).spec, MNIST).map(({ trial }) => trial.id);

describe('targets', () => {
  it('are rounded counts, largest first, absolute ones among them', () => {
    const targets = targetsOf({ pruneRatios: [0.995, 0, 0.5], remainingWeights: [2657, 1641] }, 266200);
    expect(targets.map(({ remainingWeights }) => remainingWeights)).toEqual([266200, 133100, 2657, 1641, 1331]);
    expect(targets.map(({ pruneRatio }) => pruneRatio)).toEqual([0, 0.5, undefined, undefined, 0.995]);
  });

  it('that leave the same count are one, called by the ratio', () => {
    expect(targetsOf({ pruneRatios: [0.995], remainingWeights: [2657] }, 531400)).toEqual([
      { remainingWeights: 2657, pruneRatio: 0.995 },
    ]);
  });

  it('of any ratio are within half a weight of it', () => {
    const ratio = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(ratio, fc.integer({ min: 1000, max: 10_000_000 }), (pruneRatio, total) => {
        const [target] = targetsOf({ pruneRatios: [pruneRatio], remainingWeights: [] }, total);
        expect(Math.abs(target!.remainingWeights - (1 - pruneRatio) * total)).toBeLessThanOrEqual(0.5);
      }),
    );
  });
});

describe('the grid', () => {
  it('goes by network, recipe, falling count and seed', () => {
    const spec = {
      hiddenWidths: [[5], [4, 3]],
      pruneRatios: [0.9, 0],
      seeds: [8, 2],
      recipes: [{}, { scope: 'layer' }],
    };
    const points = gridPoints(sweepOf(spec).spec, MNIST);
    const shown = points.map(
      ({ network, recipe, trial, seed }) => `${network} ${recipe.scope} ${trial.pruneRatio} ${seed}`,
    );
    expect(shown.slice(0, 6)).toEqual([
      '5 global 0 8',
      '5 global 0 2',
      '5 global 0.9 8',
      '5 global 0.9 2',
      '5 layer 0 8',
      '5 layer 0 2',
    ]);
    expect(shown[8]).toBe('4-3 global 0 8');
    expect(shown).toHaveLength(16);
  });

  it('prunes iterative trials from the one before, oneshot trials from the dense network', () => {
    const spec = { pruneRatios: [0, 0.5, 0.9, 0.99], recipes: [{}, { schedule: 'oneshot' }] };
    const trials = gridPoints(sweepOf(spec).spec, MNIST).map(({ trial }) => trial);
    const iterative = trials.slice(0, 4);
    expect(iterative.map(({ content }) => content.parent)).toEqual([null, null, iterative[1]!.id, iterative[2]!.id]);
    expect(trials.slice(4).map(({ content }) => content.parent)).toEqual([null, null, null, null]);
  });

  it('keeps the ids of what it had when it grows', () => {
    const small = ids({ seeds: 2 });
    const grown = ids({
      seeds: 4,
      hiddenWidths: [[300, 100], [20]],
      recipes: [{}, { criterion: 'random' }],
      pruneRatios: [0, 0.9, 0.99, 0.995],
    });
    expect(grown).toEqual(expect.arrayContaining(small));
    expect(grown.length).toBe(2 * 4 * 2 * 4);
  });

  it('has a dense trial that is the same with and without pruned ones after it', () => {
    expect(ids({ pruneRatios: [0] })).toEqual([ids({ pruneRatios: [0, 0.9] })[0]]);
  });

  it('is counted as it is made', () => {
    const widths = fc.uniqueArray(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
      selector: String,
    });
    const ratios = fc.uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 6 });
    const recipes = fc.constantFrom(
      [{}],
      [{}, { criterion: 'random' }],
      [{}, { l2: 0.001 }],
      [{ l1: 0.1 }, { l2: 0.001 }, { scope: 'layer' }],
    );
    fc.assert(
      fc.property(widths, ratios, recipes, fc.integer({ min: 1, max: 4 }), (hiddenWidths, percents, recipe, seeds) => {
        const { spec } = sweepOf({
          hiddenWidths,
          pruneRatios: percents.map((p) => p / 100),
          recipes: recipe,
          seeds,
          remainingWeights: [500],
        });
        const [size, points, lineages] = [gridSize(spec, MNIST), gridPoints(spec, MNIST), lineagesOf(spec, MNIST)];
        expect(points).toHaveLength(size.trials);
        expect(new Set(points.map(({ trial }) => trial.id)).size).toBe(size.trials);
        expect(lineages).toHaveLength(size.lineages);
        const carried = lineages.flatMap(({ chains }) => chains.flat().map(({ id }) => id));
        expect([...carried].sort()).toEqual(points.map(({ trial }) => trial.id).sort());
      }),
      { numRuns: 50 },
    );
  });

  it("has one lineage for all recipes, and one more for each recipe's own penalties", () => {
    const recipes = [{}, { scope: 'layer' }, { l2: 0.001 }, { l2: 0.001, recovery: 'none' }];
    const lineages = lineagesOf(sweepOf({ recipes }).spec, MNIST);
    expect(lineages.map(({ chains }) => chains.length)).toEqual([2, 2]);
    expect(lineages.map(({ content }) => content.training.l2)).toEqual([0, 0.001]);
  });
});
