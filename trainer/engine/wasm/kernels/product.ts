/** The one kernel that carries forward and backward passes: a sparse list times a dense matrix. */
import { type Assembler, f32x4, i32, type Operand, v128 } from '../assembler';
import { type KernelSettings, updateRow } from './optimiser';
import { madd, range, zero } from './vocabulary';

/**
 * Widths that kernels are made for, with the nanoseconds that an entry takes. 16 vector registers leave 13 for sums: one
 * is for the value, one for the product, one V8 keeps. It unrolls loops of 8 to 11 vectors and then spills registers
 * (11 take 4.4 ns); longer ones it leaves as they are.
 */
export const WIDTHS = new Map([
  ...([
    [1, 0.74],
    [2, 0.86],
    [3, 1.0],
    [4, 1.4],
    [5, 1.5],
    [6, 1.82],
    [7, 2.1],
  ] as const),
  ...([
    [12, 3.4],
    [13, 3.8],
  ] as const),
]);
export const MAX_WIDTH = 13;

/** What an entry costs once a panel whatever its width: reading it, and its share of the row's beginning and end. */
const PANEL_COST = 0.4;

/** Columns that a kernel works on together, counted in vectors of four. */
export interface Panel {
  width: number;
  /** The first of them, counted in the row. */
  first: number;
}

/** Panels that cover `vectors` at the least cost, wider ones first. */
export function panelsOf(vectors: number): Panel[] {
  const best: { cost: number; width: number }[] = [{ cost: 0, width: 0 }];
  for (let total = 1; total <= vectors; total++) {
    const options = [...WIDTHS].filter(([width]) => width <= total);
    const priced = options.map(([width, cost]) => ({ width, cost: PANEL_COST + cost + best[total - width]!.cost }));
    best.push(priced.reduce((least, option) => (option.cost < least.cost ? option : least)));
  }
  const widths: number[] = [];
  for (let rest = vectors; rest > 0; rest -= best[rest]!.width) widths.push(best[rest]!.width);
  widths.sort((a, b) => b - a);
  const before = (panel: number) => widths.slice(0, panel).reduce((sum, width) => sum + width, 0);
  return widths.map((width, panel) => ({ width, first: before(panel) }));
}

/** What is done with a row's sum. */
export type Epilogue = 'store' | 'add' | 'relu' | 'addRelu' | 'mask' | 'update';

/** Of a row's list in blocks: the first block's sum is stored, others are added, and the last one may pass a ReLU. */
export const epilogueOf = (block: number, blocks: number, relu: boolean): Epilogue => {
  const last = relu && block === blocks - 1;
  return block === 0 ? (last ? 'relu' : 'store') : last ? 'addRelu' : 'add';
};

/**
 * The list times the matrix, `width` vectors of columns.
 *
 * `listStride` is the distance from a row's first table entry to the next row's (4 bytes, or 4 x blocks when a row's
 * list is cut into blocks whose matrix rows fit the first-level cache: 25 % on fc1).
 * With `mask`, `aux` is what must be above zero for the sum to be kept. With `update`, `out` is the weights and `aux`
 * the distance from weights to first moments, to second moments, to the mask.
 */
export function listTimesMatrix(
  assembler: Assembler,
  width: number,
  epilogue: Epilogue,
  settings: KernelSettings,
): void {
  const parameters = [
    'rows',
    'list',
    'listStride',
    'matrix',
    'matrixStride',
    'out',
    'outStride',
    'aux',
    'auxStride',
  ] as const;
  assembler.define(`${epilogue}${width}`, parameters, (body, p) => {
    const entry = body.local('i32');
    const end = body.local('i32');
    const row = body.local('i32');
    const value = body.local('v128');
    const sums = range(width).map(() => body.local('v128'));
    // V8 keeps the order of loads, and emits sums that go straight to memory from first to last, others from last to
    // first. In the other order loads pile up before their sums and registers spill: 13 of 13, and half the speed.
    const straight = epilogue === 'store' || epilogue === 'update';
    const inOrder = <T>(items: T[]): T[] => (straight ? items : items.reverse());
    body.repeat(p.rows, () => {
      body.set(entry, i32.load(p.list));
      body.set(end, i32.load(p.list, 4));
      body.advance(p.list, p.listStride);
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(entry, end), () => {
        body.set(value, v128.loadSplat32(entry, 4));
        body.set(row, i32.add(p.matrix, i32.mul(i32.load(entry), p.matrixStride)));
        for (const [i, sum] of inOrder([...sums.entries()])) body.set(sum, madd(sum, value, v128.load(row, 16 * i)));
        body.advance(entry, 8);
      });
      if (epilogue === 'update') updateRow(body, settings, sums, p.out, p.aux);
      else {
        for (const [i, sum] of sums.entries()) {
          let result: Operand = sum;
          if (epilogue === 'add' || epilogue === 'addRelu') result = f32x4.add(v128.load(p.out, 16 * i), result);
          if (epilogue === 'relu' || epilogue === 'addRelu') result = f32x4.pmax(result, zero);
          if (epilogue === 'mask') result = v128.and(result, f32x4.gt(v128.load(p.aux, 16 * i), zero));
          body.storeV128(p.out, result, 16 * i);
        }
        if (epilogue === 'mask') body.advance(p.aux, p.auxStride);
      }
      body.advance(p.out, p.outStride);
    });
  });
}
