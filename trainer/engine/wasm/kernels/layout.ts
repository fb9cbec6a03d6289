/** Data moved and turned to where the other kernels want it. */
import {
  type Assembler,
  type Body,
  type Expression,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  v128,
  widen,
} from '../assembler';
import { CONSTANT } from './memory';
import { touch } from './touch';
import { range } from './vocabulary';

/** Rows and columns exchanged, in squares of four: `rows` and `columns` are multiples of 4, strides in bytes. */
export function transpose(assembler: Assembler): void {
  const parameters = ['rows', 'columns', 'source', 'sourceStride', 'out', 'outStride'] as const;
  assembler.define('transpose', parameters, (body, p) => {
    const from = body.local('i32');
    const to = body.local('i32');
    body.repeat(i32.shrU(p.rows, 2), () => {
      body.set(from, p.source);
      body.set(to, p.out);
      body.repeat(i32.shrU(p.columns, 2), () => {
        const row = body.local('i32', from);
        const square: Local[] = [];
        for (const i of range(4)) {
          square.push(body.local('v128', v128.load(row)));
          if (i < 3) body.advance(row, p.sourceStride);
        }
        const [a, b, c, d] = square as [Local, Local, Local, Local];
        const [lowAB, highAB] = [body.local('v128', v128.shuffle(a, b, [0, 4, 1, 5])), body.local('v128')];
        body.set(highAB, v128.shuffle(a, b, [2, 6, 3, 7]));
        const [lowCD, highCD] = [body.local('v128', v128.shuffle(c, d, [0, 4, 1, 5])), body.local('v128')];
        body.set(highCD, v128.shuffle(c, d, [2, 6, 3, 7]));
        body.set(row, to);
        for (const result of [
          v128.shuffle(lowAB, lowCD, [0, 1, 4, 5]),
          v128.shuffle(lowAB, lowCD, [2, 3, 6, 7]),
          v128.shuffle(highAB, highCD, [0, 1, 4, 5]),
          v128.shuffle(highAB, highCD, [2, 3, 6, 7]),
        ]) {
          body.storeV128(row, result);
          body.advance(row, p.outStride);
        }
        body.advance(from, 16);
        body.set(to, row);
      });
      body.advance(p.source, i32.shl(p.sourceStride, 2));
      body.advance(p.out, 16);
    });
  });
}

/** Copies `rows` rows of `vectors` vectors: a panel's gradients side by side, so that they stay in the first-level cache. */
export function copyRows(assembler: Assembler): void {
  const parameters = ['rows', 'vectors', 'source', 'sourceStride', 'out'] as const;
  assembler.define('copyRows', parameters, (body, p) => {
    const from = body.local('i32');
    body.repeat(p.rows, () => {
      body.set(from, p.source);
      body.repeat(p.vectors, () => {
        body.storeV128(p.out, v128.load(from));
        body.advance(from, 16);
        body.advance(p.out, 16);
      });
      body.advance(p.source, p.sourceStride);
    });
  });
}

/**
 * The batch's images by feature, for a pruned network: bytes [images, rowBytes] in groups of 16 pixels to rows of
 * float32, `pixels` byte / 255. `groups` are the byte offsets of the groups that some survivor reads, `rows` the byte
 * offset in `out` of each pixel's row (pixels that nobody reads share one). Images in fours: a square of 16 pixels and 4
 * images is turned in registers (25 us a batch, where scattering the non-zero pixels took 70).
 */
export function gatherPixels(assembler: Assembler): void {
  const parameters = ['sixteens', 'order', 'source', 'rowBytes', 'groups', 'groupTable', 'rows', 'out'] as const;
  assembler.define('gatherPixels', parameters, (body, p) => {
    const offset = body.local('i32');
    const order = body.local('i32');
    const row = body.local('i32');
    const out = body.local('i32');
    // In a register: V8 makes a constant anew, in three instructions, wherever it is used.
    const scale = body.local('v128', v128.load(CONSTANT.pixelScale));
    touch(body, i32.shl(p.sixteens, 4), p.order, (image) => ({
      start: i32.add(p.source, i32.mul(image, p.rowBytes)),
      end: (start) => i32.add(start, p.rowBytes),
    }));
    body.repeat(p.sixteens, () => {
      const group = body.local('i32', p.groupTable);
      body.repeat(p.groups, () => {
        body.set(offset, i32.load(group));
        body.advance(group, 4);
        body.set(row, i32.add(p.rows, i32.shl(offset, 2)));
        body.set(order, p.order);
        body.set(out, p.out);
        body.repeat(4, () => {
          const image = (i: number) => i32.add(p.source, i32.mul(i32.load(order, 4 * i), p.rowBytes));
          turnSquare(
            body,
            range(4).map((i) => v128.load(i32.add(image(i), offset), 0, 1)),
            (pixel, values) => body.storeV128(i32.add(out, i32.load(row, 4 * pixel)), f32x4.mul(values, scale)),
          );
          body.advance(order, 16);
          body.advance(out, 16);
        });
      });
      body.advance(p.order, 64);
      body.advance(p.out, 64);
    });
  });
}

/** Bytes of 16 pixels of four images to 16 vectors of one pixel of the four, as float32. */
function turnSquare(body: Body, images: Expression[], store: (pixel: number, values: Expression) => void): void {
  const [a, b, c, d] = images.map((image) => body.local('v128', image)) as [Local, Local, Local, Local];
  for (const half of [0, 8]) {
    const bytes = range(8).flatMap((i) => [half + i, half + i + 16]);
    const ab = body.local('v128', v128.shuffle(a, b, bytes));
    const cd = body.local('v128', v128.shuffle(c, d, bytes));
    for (const quarter of [0, 4]) {
      const pairs = range(4).flatMap((i) => [quarter + i, quarter + i + 8]);
      const four = body.local('v128', v128.shuffle(ab, cd, pairs));
      for (const [eighth, widened] of [widen.low8(four), widen.high8(four)].entries()) {
        const two = body.local('v128', widened);
        for (const [i, one] of [widen.low16(two), widen.high16(two)].entries())
          store(half + quarter + 2 * eighth + i, i32x4.toF32x4(one));
      }
    }
  }
}

/** Copies values into the entries that they belong to: entry i gets the value at `values + positions[i]`. */
export function refresh(assembler: Assembler): void {
  assembler.define('refresh', ['count', 'positions', 'values', 'entries'], (body, p) => {
    body.repeat(p.count, () => {
      body.storeF32(p.entries, f32.load(i32.add(p.values, i32.load(p.positions))), 4);
      body.advance(p.positions, 4);
      body.advance(p.entries, 8);
    });
  });
}
