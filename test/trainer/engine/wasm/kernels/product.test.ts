import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EPILOGUES, MAX_WIDTH, panelsOf } from '../../../../../trainer/engine/wasm/kernels/product';
import { type Entry, numbers, ROUNDING, Workbench } from './workbench';

const shape = fc
  .record({
    width: fc.integer({ min: 1, max: MAX_WIDTH }),
    rows: fc.integer({ min: 1, max: 9 }),
    matrixRows: fc.integer({ min: 1, max: 12 }),
    stride: fc.integer({ min: 0, max: 3 }),
  })
  .chain(({ width, rows, matrixRows, stride }) =>
    fc.record({
      ...{ width: fc.constant(width), rows: fc.constant(rows), matrixRows: fc.constant(matrixRows) },
      extra: fc.constant(stride),
      matrix: numbers(matrixRows * 4 * width, 0.2),
      before: numbers(rows * 4 * width, 0.3),
      lists: fc.array(
        fc.array(
          fc.record({ index: fc.integer({ min: 0, max: matrixRows - 1 }), value: numbers(1).map(([value]) => value!) }),
          {
            maxLength: 20,
          },
        ),
        { minLength: rows, maxLength: rows },
      ),
    }),
  );

/** A row's sum for each column in float64, and the bound on what rounding each step to float32 may do to it. */
function sums(list: readonly Entry[], matrix: readonly number[], columns: number, start: readonly number[]) {
  return Array.from({ length: columns }, (_, column) => {
    const terms = list.map(({ index, value }) => value * matrix[index * columns + column]!);
    const exact = terms.reduce((sum, term) => sum + term, start[column] ?? 0);
    const size = terms.reduce((sum, term) => sum + Math.abs(term), Math.abs(start[column] ?? 0));
    return { exact, bound: (list.length + 2) * ROUNDING * size };
  });
}

describe('a list times a matrix', () => {
  const bench = new Workbench();

  it.each(EPILOGUES.filter((epilogue) => epilogue !== 'update'))(
    'with %s is its sum to (entries + 2) roundings',
    (epilogue) => {
      fc.assert(
        fc.property(shape, fc.boolean(), ({ width, rows, matrixRows, extra, matrix, before, lists }, tile) => {
          const { arena, kernels } = bench;
          arena.reset();
          const columns = 4 * width;
          // A tile's rows are longer than the kernel is wide, and its entries count bytes.
          const rowBytes = tile ? 16 * (width + extra) : 16 * width;
          const matrixAt = arena.allocate(rowBytes * matrixRows);
          for (let row = 0; row < matrixRows; row++)
            arena.f32(matrixAt + row * rowBytes, columns).set(matrix.slice(row * columns, (row + 1) * columns));
          const table = bench.lists(
            tile ? lists.map((list) => list.map(({ index, value }) => ({ index: index * rowBytes, value }))) : lists,
          );
          const out = bench.floats(before);
          const above = bench.floats(before);
          const rest = [matrixAt, out, 16 * width, above, 16 * width];
          kernels[`${tile ? 'tile' : 'panel'}.${epilogue}${width}`]!(rows, table, 4, ...rest);
          const result = bench.readFloats(out, rows * columns);
          for (let row = 0; row < rows; row++) {
            const old = before.slice(row * columns, (row + 1) * columns);
            const adds = epilogue.startsWith('add');
            for (const [column, { exact, bound }] of sums(lists[row]!, matrix, columns, adds ? old : []).entries()) {
              let expected = exact;
              if (epilogue.toLowerCase().endsWith('relu')) expected = Math.max(0, exact);
              if (epilogue.toLowerCase().endsWith('mask') && !(old[column]! > 0)) expected = 0;
              expect(Math.abs(result[row * columns + column]! - expected)).toBeLessThanOrEqual(bound);
            }
          }
        }),
        { numRuns: 150, seed: 1 },
      );
    },
  );

  it('in blocks is the same list: first stored, then added', () => {
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 4 }), ({ width, rows, matrix, lists }, blocks) => {
        const { arena, kernels } = bench;
        arena.reset();
        const columns = 4 * width;
        const matrixAt = bench.floats(matrix);
        const cut = lists.flatMap((list) =>
          Array.from({ length: blocks }, (_, k) =>
            list.slice(Math.floor((k * list.length) / blocks), Math.floor(((k + 1) * list.length) / blocks)),
          ),
        );
        const table = bench.lists(cut);
        const out = arena.allocate(4 * rows * columns);
        for (let block = 0; block < blocks; block++)
          kernels[`panel.${block === 0 ? 'store' : 'add'}${width}`]!(
            ...[rows, table + 4 * block, 4 * blocks, matrixAt, out, 16 * width, 0, 0],
          );
        const result = bench.readFloats(out, rows * columns);
        for (let row = 0; row < rows; row++)
          for (const [column, { exact, bound }] of sums(lists[row]!, matrix, columns, []).entries())
            expect(Math.abs(result[row * columns + column]! - exact)).toBeLessThanOrEqual(
              bound + blocks * ROUNDING * Math.abs(exact),
            );
      }),
      { numRuns: 100, seed: 2 },
    );
  });
});

describe('panels', () => {
  it('cover every column once, are no wider than the registers and as even as can be', () => {
    for (let vectors = 1; vectors <= 600; vectors++) {
      const panels = panelsOf(vectors);
      expect(panels.map(({ first }) => first)).toEqual(
        panels.map((_, i) => panels.slice(0, i).reduce((sum, { width }) => sum + width, 0)),
      );
      const widths = panels.map(({ width }) => width);
      expect(widths.reduce((sum, width) => sum + width, 0)).toBe(vectors);
      expect(Math.max(...widths)).toBeLessThanOrEqual(MAX_WIDTH);
      expect(Math.max(...widths) - Math.min(...widths)).toBeLessThanOrEqual(1);
    }
  });
});
