import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entry, numbers, share, Workbench } from './workbench';

/** Cuts from 0 to `inputs` into blocks, as the kernels take them: where each ends, in fours. */
const cutsOf = (inputs: number, blocks: number) =>
  Array.from({ length: blocks }, (_, k) => 4 * Math.round((inputs * (k + 1)) / blocks / 4));

const rows = fc
  .record({
    images: fc.integer({ min: 1, max: 8 }),
    inputs: fc.integer({ min: 1, max: 10 }).map((n) => 4 * n),
    zeros: share,
  })
  .chain(({ images, inputs, zeros }) =>
    fc.record({
      ...{ images: fc.constant(images), inputs: fc.constant(inputs) },
      blocks: fc.integer({ min: 1, max: 3 }),
      values: numbers(images * inputs, zeros),
    }),
  );

/** What is not zero of each image, block by block, with the bias's entry first. */
function expectedLists(
  values: readonly number[],
  images: number,
  inputs: number,
  cuts: number[],
  bias?: number,
): Entry[][] {
  return Array.from({ length: images }, (_, image) =>
    cuts.map((cut, block) => [
      ...(block === 0 && bias !== undefined ? [{ index: bias, value: 1 }] : []),
      ...values
        .slice(image * inputs, (image + 1) * inputs)
        .map((value, index) => ({ index, value }))
        .filter(({ value, index }) => value !== 0 && index < cut && index >= (cuts[block - 1] ?? 0)),
    ]),
  ).flat();
}

/** Entries of each input and the bias, and none of what only makes lists even. */
const countsOf = (lists: readonly Entry[][], inputs: number) =>
  Array.from({ length: inputs + 2 }, (_, input) => lists.flat().filter(({ index }) => index === input).length);

describe('lists', () => {
  const bench = new Workbench();

  it.each(['gatherActivations', 'gatherGradients'])(
    '%s has what is not zero of each row, in order and in blocks',
    (kernel) => {
      fc.assert(
        fc.property(rows, ({ images, inputs, blocks, values }) => {
          const { arena, kernels } = bench;
          arena.reset();
          const cuts = cutsOf(inputs, blocks);
          const source = bench.floats(values);
          const entries = arena.allocate(8 * (images * (inputs + 1 + blocks) + 1));
          const table = arena.allocate(4 * (images * blocks + 1));
          const bias = kernel === 'gatherActivations' ? inputs : undefined;
          const counts = bench.words(new Array(inputs + 2).fill(9));
          kernels[kernel]!(images, source, 4 * inputs, bench.words(cuts), blocks, bias ?? 0, entries, table, counts);
          const lists = expectedLists(values, images, inputs, cuts, bias);
          expect(bench.readLists(table, images * blocks)).toEqual(lists);
          if (bias !== undefined) expect([...arena.u32(counts, inputs + 2)]).toEqual(countsOf(lists, inputs));
        }),
        { numRuns: 150, seed: 1 },
      );
    },
  );

  it('gatherImages has the pixels of the images asked for, through the table of their values', () => {
    fc.assert(
      fc.property(
        rows,
        fc.array(fc.nat(), { minLength: 1, maxLength: 6 }),
        ({ images, inputs, blocks, values }, wanted) => {
          const { arena, kernels, shared } = bench;
          arena.reset();
          const bytes = values.map((value) => Math.floor(Math.abs(value) * 255));
          const scale = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte / 255));
          // In the shared memory: where each image's pixels begin, then the pixels as {u16 index, u16 value}.
          const pixelsAt = 4096;
          const words: number[] = [];
          const starts = [0];
          for (let image = 0; image < images; image++) {
            for (let index = 0; index < inputs; index++) {
              const byte = bytes[image * inputs + index]!;
              if (byte !== 0) words.push(index + byte * 65536);
            }
            starts.push(words.length);
          }
          new Uint32Array(shared.buffer, 0, starts.length).set(starts);
          new Uint32Array(shared.buffer, pixelsAt, words.length + 1).set([...words, 0]);
          const order = wanted.map((n) => n % images);
          const cuts = cutsOf(inputs, blocks);
          const entries = arena.allocate(8 * (order.length * (inputs + 1 + blocks) + 1));
          const table = arena.allocate(4 * (order.length * blocks + 1));
          const counts = bench.words(new Array(inputs + 2).fill(9));
          kernels.gatherImages!(
            ...[order.length, bench.words(order), 0, pixelsAt, bench.floats(scale)],
            ...[bench.words(cuts), blocks, inputs, entries, table, counts],
          );
          const scaled = order.flatMap((image) =>
            bytes.slice(image * inputs, (image + 1) * inputs).map((byte) => scale[byte]!),
          );
          const lists = bench.readLists(table, order.length * blocks);
          expect(lists).toEqual(expectedLists(scaled, order.length, inputs, cuts, inputs));
          expect([...arena.u32(counts, inputs + 2)]).toEqual(countsOf(lists, inputs));
        },
      ),
      { numRuns: 150, seed: 2 },
    );
  });

  it('columns has the same entries by input, in the order of the images', () => {
    fc.assert(
      fc.property(rows, ({ images, inputs, blocks, values }) => {
        const { arena, kernels } = bench;
        arena.reset();
        const cuts = cutsOf(inputs, blocks);
        const capacity = images * (inputs + 1 + blocks) + 1;
        const entries = arena.allocate(8 * capacity);
        const table = arena.allocate(4 * (images * blocks + 1));
        const columns = inputs + 2;
        const [counts, out] = [arena.allocate(4 * columns), arena.allocate(4 * (columns + 1))];
        kernels.gatherActivations!(
          ...[images, bench.floats(values), 4 * inputs, bench.words(cuts), blocks, inputs, entries, table, counts],
        );
        const byColumn = arena.allocate(8 * (capacity + columns));
        kernels.columns!(images, blocks, table, columns, counts, byColumn, out);
        const expected = Array.from({ length: inputs }, (_, input) =>
          Array.from({ length: images }, (_, image) => ({
            index: image,
            value: values[image * inputs + input]!,
          })).filter(({ value }) => value !== 0),
        );
        const bias = Array.from({ length: images }, (_, image) => ({ index: image, value: 1 }));
        expect(bench.readLists(out, inputs + 1)).toEqual([...expected, bias]);
      }),
      { numRuns: 150, seed: 3 },
    );
  });
});
