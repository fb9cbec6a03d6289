import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANY_GROUP, ROW_GROUP } from '../../../../../trainer/engine/wasm/kernels/sampled';
import { numbers, ROUNDING, share, Workbench } from './workbench';

/** Rows of inputs and of output gradients over the same images, and pairs of them. */
const pairs = fc
  .record({
    images: fc.integer({ min: 1, max: 3 }).map((n) => 16 * n),
    inputs: fc.integer({ min: 1, max: 9 }),
    units: fc.integer({ min: 1, max: 4 }),
    zeros: share,
  })
  .chain(({ images, inputs, units, zeros }) =>
    fc.record({
      ...{ images: fc.constant(images), inputs: fc.constant(inputs), units: fc.constant(units) },
      input: numbers(inputs * images, zeros),
      gradient: numbers(units * images, zeros),
      survivors: fc.uniqueArray(
        fc.record({ unit: fc.integer({ min: 0, max: units - 1 }), input: fc.integer({ min: 0, max: inputs - 1 }) }),
        { minLength: 1, maxLength: 30, selector: ({ unit, input }) => unit * inputs + input },
      ),
    }),
  );

describe('weight gradients at survivors', () => {
  const bench = new Workbench();

  /** Dot products over the images: exact in float64, and the bound on what rounding each step may do. */
  const expectClose = (result: number, a: readonly number[], b: readonly number[]) => {
    const terms = a.map((value, i) => value * b[i]!);
    const size = terms.reduce((sum, term) => sum + Math.abs(term), 0);
    const exact = terms.reduce((sum, term) => sum + term, 0);
    expect(Math.abs(result - exact)).toBeLessThanOrEqual(a.length * ROUNDING * size);
  };

  it('sampledRow takes survivors of one unit together, to (images) roundings', () => {
    fc.assert(
      fc.property(pairs, ({ images, inputs, units, input, gradient, survivors }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const row = 4 * images;
        for (let unit = 0; unit < units; unit++) {
          // As many as a group has, the same ones over again where there are fewer.
          const own = survivors.filter((survivor) => survivor.unit === unit);
          if (own.length === 0) continue;
          const group = Array.from({ length: ROW_GROUP }, (_, i) => own[i % own.length]!);
          const out = bench.floats(new Float32Array(1 + ROW_GROUP + 1).fill(7));
          kernels.sampledRow!(
            ...[row, 1, bench.words([unit * row, 4]), bench.words([0, ...group.map((one) => one.input * row)])],
            ...[bench.floats(input), bench.floats(gradient), out],
          );
          const [before, ...result] = bench.readFloats(out, 1 + ROW_GROUP + 1);
          expect([before, result.at(-1)]).toEqual([7, 7]);
          for (const [i, one] of group.entries())
            expectClose(
              result[i]!,
              input.slice(one.input * images, (one.input + 1) * images),
              gradient.slice(unit * images, (unit + 1) * images),
            );
        }
        expect(inputs).toBeGreaterThan(0);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('sampledAny takes survivors of any units, to (images) roundings', () => {
    fc.assert(
      fc.property(pairs, ({ images, input, gradient, survivors }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const row = 4 * images;
        const groups = Math.ceil(survivors.length / ANY_GROUP);
        const offsets = (of: (survivor: (typeof survivors)[number]) => number) =>
          bench.words(
            Uint32Array.from({ length: ANY_GROUP * groups }, (_, i) => of(survivors[i] ?? survivors[0]!) * row),
          );
        const [inputOffsets, gradientOffsets] = [offsets((one) => one.input), offsets((one) => one.unit)];
        const out = arena.allocate(4 * (ANY_GROUP * groups + 1));
        kernels.sampledAny!(
          row,
          groups,
          inputOffsets,
          gradientOffsets,
          bench.floats(input),
          bench.floats(gradient),
          out,
        );
        const result = bench.readFloats(out, survivors.length);
        for (const [i, one] of survivors.entries())
          expectClose(
            result[i]!,
            input.slice(one.input * images, (one.input + 1) * images),
            gradient.slice(one.unit * images, (one.unit + 1) * images),
          );
      }),
      { numRuns: 100, seed: 2 },
    );
  });

  it('rowSums adds up the images of each row', () => {
    fc.assert(
      fc.property(pairs, ({ images, units, gradient }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const out = arena.allocate(4 * units);
        kernels.rowSums!(units, 4 * images, bench.floats(gradient), 4 * images, out);
        const ones = new Array<number>(images).fill(1);
        for (const [unit, result] of bench.readFloats(out, units).entries())
          expectClose(result, gradient.slice(unit * images, (unit + 1) * images), ones);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('countPositive counts what is above zero, and neither zeros nor negatives', () => {
    fc.assert(
      fc.property(pairs, ({ images, units, gradient }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const count = kernels.countPositive!(units, images / 4, bench.floats(gradient), 4 * images);
        expect(count).toBe(gradient.filter((value) => value > 0).length);
      }),
      { numRuns: 60, seed: 4 },
    );
  });
});
