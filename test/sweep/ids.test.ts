import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptSweep } from '../../sweep/accept';
import { gridPoints, lineagesOf } from '../../sweep/grid';
import { canonicalJson, trialId } from '../../sweep/ids';
import type { TrialContent } from '../../sweep/trial';
import { document, MNIST, sweepOf } from '../fixtures';

describe('a trial id', () => {
  it('is what it has always been', () => {
    const ids = gridPoints(sweepOf({ recipes: [{}, { recovery: 'regrow', schedule: 'oneshot' }] }).spec, MNIST).map(
      ({ trial }) => trial.id,
    );
    expect(ids).toMatchInlineSnapshot(`
      [
        "f35109b20d3c2b7f63a8f8b8dfeefc90819c8f64c8a5b56be8ef6e7c01e5bdf0",
        "a37a6c3276a390c6316680ea68fa0e80573b8964527d52823a517383e3b123ff",
        "743d78f7484f1591d691fe1bfe436483327a06de93d0748cb6af9f825c0444f1",
        "37694b47bbe39b651e099aedb0e50d9dcece0123944f84109ad4e0c73693459e",
        "901e8eb85e8b3695278ef8bb446560a44ef438d2cec3997690edef5fc0477413",
        "576dec41fdf7262b1d43bd825da9431cef580b6cd02b28d91376bbea29e5cd89",
      ]
    `);
    expect(lineagesOf(sweepOf({}).spec, MNIST).map(({ id }) => id)).toMatchInlineSnapshot(`
      [
        "21617adcaea486fdf0a9346352a6df142cc7617fb00bde45c3f9625fe63a4dcf",
      ]
    `);
  });

  it('is what it has been since recipes can name layers and set their retraining', () => {
    const recipes = [
      { keepDense: ['fc3', 'fc2'] },
      { linear: ['fc2'] },
      { retraining: { epochs: 9 } },
      { linear: ['fc2', 'fc1'] },
    ];
    const grid = gridPoints(sweepOf({ recipes, pruneRatios: [0.8] }).spec, MNIST);
    expect(grid.map(({ trial }) => trial.id)).toMatchInlineSnapshot(`
      [
        "0e7446caaccc7a6fac30ffde3f04e2ce3af61827f046cc9f845bbca7d3fe66a9",
        "abd58bcfd4dac9a0066bb5aeb19dc32a1f91a8b8c028f8a3328cca23b9788063",
        "0b0dac3314dd45d48e57bd9b18bc94be3854ac075da990c4a75ddd3147e3768c",
        "ffb01d3b0478c40833f0ef9522f05235c0708d5b946a352de95cd829a6dd08df",
      ]
    `);
    expect(grid[0]!.trial.content.recipe.keepDense).toEqual(['fc2', 'fc3']);
    expect(lineagesOf(sweepOf({ recipes, pruneRatios: [0.8] }).spec, MNIST)).toHaveLength(3);
  });

  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null))),
        (object) => {
          const reversed = Object.fromEntries(Object.entries(object).reverse());
          expect(canonicalJson(reversed)).toBe(canonicalJson(object));
          expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
        },
      ),
    );
  });

  it('is the hash of the canonical JSON, whatever the content', () => {
    const count = fc.nat(2 ** 40);
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const layers = fc.array(fc.string());
    const content = fc.record({
      ...{
        dataset: fc.string(),
        validation: count,
        hiddenWidths: fc.array(count),
        seed: count,
        remainingWeights: count,
      },
      training: fc.record({
        ...{ epochs: count, batchSize: count, optimizer: fc.constantFrom('adam', 'sgd') },
        ...{
          learningRate: number,
          momentum: number,
          l1: number,
          l2: number,
          linear: fc.option(layers, { nil: undefined }),
        },
      }),
      recipe: fc.record({
        ...{ criterion: fc.constantFrom('magnitude', 'random'), scope: fc.constantFrom('global', 'layer') },
        ...{ recovery: fc.constantFrom('masked', 'none'), schedule: fc.constantFrom('iterative', 'oneshot') },
        keepDense: fc.option(layers, { nil: undefined }),
      }),
      retraining: fc.option(fc.record({ epochs: count, learningRateFactor: number })),
      parent: fc.option(fc.string()),
    }) as fc.Arbitrary<TrialContent>;
    fc.assert(
      fc.property(content, (one) => {
        expect(trialId(one)).toBe(createHash('sha256').update(canonicalJson(one)).digest('hex'));
      }),
    );
  });

  it('is the hash of its content and of nothing else', () => {
    for (const { trial } of gridPoints(sweepOf({ parallelism: 3, maxFailedTrials: 9 }).spec, MNIST))
      expect(trialId(trial.content)).toBe(trial.id);
    const ids = (spec: object) => gridPoints(sweepOf(spec).spec, MNIST).map(({ trial }) => trial.id);
    expect(ids({ parallelism: 3, lineagesPerPack: 7, template: { accelerator: 'gpu' } })).toEqual(ids({}));
    const renamed = acceptSweep(document({}, 'another-name'), MNIST);
    expect(gridPoints(renamed.spec, MNIST).map(({ trial }) => trial.id)).toEqual(ids({}));
  });

  it('changes with everything that its numbers depend on', () => {
    const changes = [
      ...[{}, { seeds: [2] }, { hiddenWidths: [[300, 101]] }, { dataset: { validation: 1 } }],
      ...[{ training: { epochs: 19 } }, { training: { l2: 1e-9 } }, { retraining: { epochs: 3 } }],
      ...[{ recipes: [{ scope: 'layer' }] }, { recipes: [{ l1: 1e-5 }] }, { recipes: [{ keepDense: ['fc3'] }] }],
      ...[{ recipes: [{ linear: ['fc1'] }] }, { recipes: [{ retraining: { learningRateFactor: 0.25 } }] }],
    ];
    const last = changes.map((change) => gridPoints(sweepOf(change).spec, MNIST).at(-1)!.trial.id);
    expect(new Set(last).size).toBe(changes.length);
  });
});
