/** The one kernel that carries forward and backward passes: a sparse list times a dense matrix. */
import { type Assembler, f32x4, i32, type Operand, v128 } from '../assembler';
import { madd } from './fused';
import { type KernelSettings, updateRow } from './optimiser';
import { ENTRY, range, zero } from './vocabulary';

/** 16 vector registers less one for an entry's value, one for a row's vector, one that V8 keeps. */
export const MAX_WIDTH = 13;

/** Columns that a kernel works on together, counted in vectors of four. */
export interface Panel {
  width: number;
  /** The first of them, counted in the row. */
  first: number;
}

/**
 * Panels that cover `vectors`: as few as can be, since each reads the lists anew, and as even as can be. An entry takes
 * 0.55 ns and 0.18 ns for each vector.
 */
export function panelsOf(vectors: number): Panel[] {
  const count = Math.ceil(vectors / MAX_WIDTH);
  const start = (panel: number) => Math.ceil((vectors * panel) / count);
  return range(count).map((panel) => ({ width: start(panel + 1) - start(panel), first: start(panel) }));
}

/** What is done with a row's sum. */
export const EPILOGUES = ['store', 'add', 'relu', 'addRelu', 'mask', 'addMask', 'update'] as const;
export type Epilogue = (typeof EPILOGUES)[number];

/** Of a row's list in blocks: the first block's sum is stored, others are added, and the last may pass a ReLU or mask. */
export const epilogueOf = (block: number, blocks: number, last?: 'relu' | 'mask'): Epilogue => {
  if (last === undefined || block < blocks - 1) return block === 0 ? 'store' : 'add';
  return block === 0 ? last : last === 'relu' ? 'addRelu' : 'addMask';
};

/**
 * What an entry's index counts: in a panel its rows, which are as long as the kernel is wide; in a tile of longer rows
 * bytes, since a stride from memory would cost a multiplication an entry (10 % of 13 vectors).
 */
export type Rows = 'panel' | 'tile';

/**
 * The list times the matrix, `width` vectors of columns.
 *
 * `listStride` is the distance from a row's first table entry to the next row's (4 bytes, or 4 x blocks when a row's
 * list is cut into blocks whose matrix rows fit the first-level cache: 25 % on fc1). Entries come in pairs: two a turn
 * share its end (13 vectors: 3.5 ns an entry became 2.9).
 * With a mask, `aux` is what must be above zero for the sum to be kept. With `update`, `out` is the weights and `aux`
 * the distance from weights to first moments, to second moments, to the mask.
 */
export function listTimesMatrix(
  assembler: Assembler,
  rows: Rows,
  width: number,
  epilogue: Epilogue,
  settings: KernelSettings,
): void {
  const parameters = ['rows', 'list', 'listStride', 'matrix', 'out', 'outStride', 'aux', 'auxStride'] as const;
  assembler.define(`${rows}.${epilogue}${width}`, parameters, (body, p) => {
    const entry = body.local('i32');
    const end = body.local('i32');
    const row = body.local('i32');
    const value = body.local('v128');
    const sums = range(width).map(() => body.local('v128'));
    const masks = epilogue === 'mask' || epilogue === 'addMask';
    body.repeat(p.rows, () => {
      body.set(entry, i32.load(p.list));
      body.set(end, i32.load(p.list, 4));
      body.advance(p.list, p.listStride);
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(entry, end), () => {
        for (const offset of [0, ENTRY]) {
          const index = i32.load(entry, offset);
          body.set(row, i32.add(p.matrix, rows === 'panel' ? i32.mul(index, 16 * width) : index));
          body.set(value, v128.loadSplat32(entry, offset + 4));
          for (const [i, sum] of sums.entries()) body.set(sum, madd(sum, value, v128.load(row, 16 * i)));
        }
        body.advance(entry, 2 * ENTRY);
      });
      if (epilogue === 'update') updateRow(body, settings, sums, p.out, p.aux);
      else {
        for (const [i, sum] of sums.entries()) {
          let result: Operand = sum;
          if (epilogue.startsWith('add')) result = f32x4.add(v128.load(p.out, 16 * i), result);
          if (epilogue === 'relu' || epilogue === 'addRelu') result = f32x4.pmax(result, zero);
          if (masks) result = v128.and(result, f32x4.gt(v128.load(p.aux, 16 * i), zero));
          body.storeV128(p.out, result, 16 * i);
        }
        if (masks) body.advance(p.aux, p.auxStride);
      }
      body.advance(p.out, p.outStride);
    });
  });
}
