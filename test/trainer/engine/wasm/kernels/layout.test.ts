import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONSTANT, PIXEL_SCALE } from '../../../../../trainer/engine/wasm/kernels/memory';
import { numbers, Workbench } from './workbench';

const fours = fc.integer({ min: 1, max: 5 }).map((n) => 4 * n);

describe('moving data', () => {
  const bench = new Workbench();

  it('transpose exchanges rows and columns, whatever the strides', () => {
    const matrix = fc
      .record({ rows: fours, columns: fours, extra: fc.integer({ min: 0, max: 2 }) })
      .chain((shape) => fc.record({ shape: fc.constant(shape), values: numbers(shape.rows * shape.columns) }));
    fc.assert(
      fc.property(matrix, ({ shape: { rows, columns, extra }, values }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const [from, to] = [columns + 4 * extra, rows + 4 * extra];
        const source = arena.allocate(4 * rows * from);
        for (let row = 0; row < rows; row++)
          arena.f32(source + 4 * row * from, columns).set(values.slice(row * columns, (row + 1) * columns));
        const out = arena.allocate(4 * columns * to);
        kernels.transpose!(rows, columns, source, 4 * from, out, 4 * to);
        for (let column = 0; column < columns; column++)
          expect([...bench.readFloats(out + 4 * column * to, rows)]).toEqual(
            Array.from({ length: rows }, (_, row) => values[row * columns + column]),
          );
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('copyRows lays the columns of a panel side by side', () => {
    const { arena, kernels } = bench;
    arena.reset();
    const values = Array.from({ length: 5 * 12 }, (_, i) => i);
    const out = arena.allocate(4 * 5 * 8);
    kernels.copyRows!(5, 2, bench.floats(values) + 16, 4 * 12, out);
    expect([...bench.readFloats(out, 40)]).toEqual(values.filter((i) => i % 12 >= 4));
  });

  it('gatherPixels turns bytes of images into rows of pixels, each in the row that it is given', () => {
    const images = fc.record({
      pixels: fc.integer({ min: 1, max: 3 }).map((n) => 16 * n),
      order: fc
        .array(fc.integer({ min: 0, max: 9 }), { minLength: 16, maxLength: 48 })
        .map((all) => all.slice(0, all.length - (all.length % 16))),
      seed: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(images, ({ pixels, order, seed }) => {
        const { arena, kernels, shared } = bench;
        arena.reset();
        arena.splat(CONSTANT.pixelScale, PIXEL_SCALE);
        const byte = (image: number, pixel: number) => (image * 37 + pixel * 11 + seed) % 256;
        const bytes = new Uint8Array(shared.buffer, 0, 10 * pixels);
        for (let image = 0; image < 10; image++)
          for (let pixel = 0; pixel < pixels; pixel++) bytes[image * pixels + pixel] = byte(image, pixel);
        const stride = 4 * order.length;
        // Pixels in falling order, so that a row is where the table says and nowhere else.
        const rows = Array.from({ length: pixels }, (_, pixel) => (pixels - 1 - pixel) * stride);
        const groups = Array.from({ length: pixels / 16 }, (_, group) => 16 * group);
        const out = arena.allocate(pixels * stride);
        kernels.gatherPixels!(
          ...[
            order.length / 16,
            bench.words(order),
            0,
            pixels,
            groups.length,
            bench.words(groups),
            bench.words(rows),
            out,
          ],
        );
        for (let pixel = 0; pixel < pixels; pixel++)
          expect([...bench.readFloats(out + rows[pixel]!, order.length)]).toEqual(
            order.map((image) => Math.fround(byte(image, pixel) * PIXEL_SCALE)),
          );
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  it('refresh copies each value to its entry and leaves the indices', () => {
    const { arena, kernels } = bench;
    arena.reset();
    const entries = bench.words([7, 0, 8, 0, 9, 0]);
    kernels.refresh!(3, bench.words([8, 0, 4]), bench.floats([1.5, 2.5, 3.5]), entries);
    expect([0, 2, 4].map((i) => arena.u32(entries, 6)[i])).toEqual([7, 8, 9]);
    expect([1, 3, 5].map((i) => arena.f32(entries, 6)[i])).toEqual([3.5, 1.5, 2.5]);
  });
});
