import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridPoints, lineagesOf } from '../../sweep/grid';
import { canonicalJson, trialId } from '../../sweep/ids';
import { MNIST, sweepOf } from '../fixtures';

describe('a trial id', () => {
  it('is what it has always been', () => {
    const ids = gridPoints(sweepOf({ recipes: [{}, { recovery: 'regrow', schedule: 'oneshot' }] }).spec, MNIST).map(
      ({ trial }) => trial.id,
    );
    expect(ids).toMatchInlineSnapshot(`
      [
        "411334704fc0a0675585b94915024472679aeeff0226b99b69c8a9929f9899fb",
        "5c4f194632b7fe3e5741ece66c35d252513831440aad78f2e324aaa5154eb5d1",
        "ffc21e0d0d780c37cfd348defe2c2aa311a31959bf69b0e92eebf5153cad405f",
        "e1ba030776fd69c20cfc5f01849800af1dffc8f51a4bc73b98bf68cad7c17c4e",
        "b3f80ca65a4b2f642a78ed2eacfb9755043d7cb07a9f959042542c11dc9e7ceb",
        "2c37763dfe2c3323f53811f17b62b5aa36b2556483630c51b4fa578a29776859",
      ]
    `);
    expect(lineagesOf(sweepOf({}).spec, MNIST).map(({ id }) => id)).toMatchInlineSnapshot(`
      [
        "fadf98d15d65268339f4c2a48332e17826ba8657eb890fd6aff9ac351be62a55",
      ]
    `);
  });

  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null))), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(reversed)).toBe(canonicalJson(object));
        expect(JSON.parse(canonicalJson(object))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  it('is the hash of its content and of nothing else', () => {
    for (const { trial } of gridPoints(sweepOf({ parallelism: 3, maxFailedTrials: 9 }).spec, MNIST)) expect(trialId(trial.content)).toBe(trial.id);
    const ids = (spec: object) => gridPoints(sweepOf(spec).spec, MNIST).map(({ trial }) => trial.id);
    expect(ids({ parallelism: 3, lineagesPerPack: 7, template: { accelerator: 'gpu' } })).toEqual(ids({}));
  });

  it('changes with everything that its numbers depend on', () => {
    const changes = [
      ...[{}, { seeds: [2] }, { hiddenWidths: [[300, 101]] }, { dataset: { validation: 1 } }],
      ...[{ training: { epochs: 19 } }, { training: { l2: 1e-9 } }, { retraining: { epochs: 3 } }],
      ...[{ recipes: [{ scope: 'layer' }] }, { recipes: [{ l1: 1e-5 }] }],
    ];
    const last = changes.map((change) => gridPoints(sweepOf(change).spec, MNIST).at(-1)!.trial.id);
    expect(new Set(last).size).toBe(changes.length);
  });
});
