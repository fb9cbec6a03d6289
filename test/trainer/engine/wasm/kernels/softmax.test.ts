import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONSTANT } from '../../../../../trainer/engine/wasm/kernels/memory';
import { Workbench } from './workbench';

const batch = fc
  .record({ images: fc.integer({ min: 1, max: 20 }), classes: fc.integer({ min: 2, max: 12 }) })
  .chain(({ images, classes }) =>
    fc.record({
      ...{ images: fc.constant(images), classes: fc.constant(classes) },
      logits: fc.array(fc.double({ min: -40, max: 40, noNaN: true }).map(Math.fround), {
        minLength: images * classes,
        maxLength: images * classes,
      }),
      labels: fc.array(fc.integer({ min: 0, max: classes - 1 }), { minLength: images, maxLength: images }),
    }),
  );

describe('softmax', () => {
  const bench = new Workbench();

  it('gives the gradient of the mean cross-entropy to 2e-6 of a share, and the shares of label and largest', () => {
    fc.assert(
      fc.property(batch, ({ images, classes, logits, labels }) => {
        const { arena, kernels, shared } = bench;
        arena.reset();
        arena.splat(CONSTANT.perImage, 1 / images);
        const lanes = 4 * Math.ceil(images / 4);
        const at = arena.allocate(4 * lanes * classes);
        const view = () => arena.f32(at, lanes * classes);
        for (let image = 0; image < images; image++)
          for (let c = 0; c < classes; c++) view()[c * lanes + image] = logits[image * classes + c]!;
        new Uint8Array(shared.buffer, 0, images).set(labels);
        const order = bench.words(labels.map((_, image) => image));
        const [chosen, peak] = [arena.allocate(4 * lanes), arena.allocate(4 * lanes)];
        kernels.softmax!(lanes, images, classes, at, 4 * lanes, order, 0, chosen, peak);
        for (let image = 0; image < lanes; image++) {
          const own = logits.slice(image * classes, (image + 1) * classes);
          const largest = Math.max(...own);
          const powers = own.map((logit) => Math.exp(logit - largest));
          const total = powers.reduce((sum, power) => sum + power, 0);
          for (let c = 0; c < classes; c++) {
            const exact = image < images ? (powers[c]! / total - (c === labels[image] ? 1 : 0)) / images : 0;
            expect(Math.abs(view()[c * lanes + image]! - exact)).toBeLessThanOrEqual(2e-6 / images);
          }
          if (image >= images) continue;
          const label = labels[image]!;
          expect(Math.abs(bench.readFloats(chosen, images)[image]! - powers[label]! / total / images)).toBeLessThan(
            2e-6 / images,
          );
          const isRight = bench.readFloats(chosen, images)[image] === bench.readFloats(peak, images)[image];
          // Shares of logits closer than this may round to the same.
          if (own[label] === largest || own[label]! < largest - 1e-5) expect(isRight).toBe(own[label] === largest);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
