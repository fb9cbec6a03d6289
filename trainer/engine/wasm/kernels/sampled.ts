/** Gradients of a pruned network, where weights are left; and counts of active units. */
import { type Assembler, f32x4, i32, i32x4, type Local, v128 } from '../assembler';
import { madd } from './fused';
import { range, sumsOfLanes, zero } from './vocabulary';

/** Survivors that `sampledRow` and `sampledAny` take together: as many as the registers carry. */
export const ROW_GROUP = 6;
export const ANY_GROUP = 3;

/**
 * Gradients of surviving weights that share a unit, six at a time: dot products over the images of one row of output
 * gradients with six rows of inputs. `table` is {row offset, first survivor x 4} for each group; a group that reaches
 * past its unit's survivors writes values that a later group overwrites. Needs images in multiples of 16, taken as two
 * times eight (200 ms an epoch of 300-100 at 10 % became 142).
 */
export function sampledRow(assembler: Assembler): void {
  const parameters = ['bytes', 'groups', 'table', 'inputOffsets', 'inputs', 'gradients', 'out'] as const;
  assembler.define('sampledRow', parameters, (body, p) => {
    const first = body.local('i32');
    const at = body.local('i32');
    const end = body.local('i32');
    const rows = range(ROW_GROUP).map(() => body.local('i32'));
    const sums = range(2 * ROW_GROUP).map(() => body.local('v128'));
    const halves = [body.local('v128'), body.local('v128')];
    body.repeat(p.groups, () => {
      body.set(at, i32.add(p.gradients, i32.load(p.table)));
      body.set(first, i32.load(p.table, 4));
      body.advance(p.table, 8);
      body.set(end, i32.add(at, p.bytes));
      const offsets = i32.add(p.inputOffsets, first);
      for (const [i, row] of rows.entries()) body.set(row, i32.add(p.inputs, i32.load(offsets, 4 * i)));
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(at, end), () => {
        for (const images of [0, 32]) {
          for (const [half, gradient] of halves.entries()) body.set(gradient, v128.load(at, images + 16 * half));
          for (const [i, row] of rows.entries())
            for (const [half, gradient] of halves.entries()) {
              const sum = sums[2 * i + half]!;
              body.set(sum, madd(sum, gradient, v128.load(row, images + 16 * half)));
            }
        }
        for (const row of rows) body.advance(row, 64);
        body.advance(at, 64);
      });
      for (const i of range(ROW_GROUP)) body.set(sums[i]!, f32x4.add(sums[2 * i]!, sums[2 * i + 1]!));
      const [a, b, c, d, e, f] = sums as [Local, Local, Local, Local, Local, Local];
      body.storeV128(i32.add(p.out, first), sumsOfLanes(a, b, c, d));
      body.storeHalf(0, i32.add(p.out, first), sumsOfLanes(e, f, e, f), 16);
    });
  });
}

/** Gradients of surviving weights of any units, three at a time. Needs images in multiples of 16. */
export function sampledAny(assembler: Assembler): void {
  const parameters = ['bytes', 'groups', 'inputOffsets', 'gradientOffsets', 'inputs', 'gradients', 'out'] as const;
  assembler.define('sampledAny', parameters, (body, p) => {
    const inputs = range(ANY_GROUP).map(() => body.local('i32'));
    const gradients = range(ANY_GROUP).map(() => body.local('i32'));
    const sums = range(4 * ANY_GROUP).map(() => body.local('v128'));
    const end = body.local('i32');
    body.repeat(p.groups, () => {
      for (const i of range(ANY_GROUP)) {
        body.set(inputs[i]!, i32.add(p.inputs, i32.load(p.inputOffsets, 4 * i)));
        body.set(gradients[i]!, i32.add(p.gradients, i32.load(p.gradientOffsets, 4 * i)));
      }
      body.set(end, i32.add(gradients[0]!, p.bytes));
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(gradients[0]!, end), () => {
        for (const i of range(ANY_GROUP))
          for (const part of range(4)) {
            const [gradient, input] = [v128.load(gradients[i]!, 16 * part), v128.load(inputs[i]!, 16 * part)];
            body.set(sums[4 * i + part]!, madd(sums[4 * i + part]!, gradient, input));
          }
        for (const row of [...inputs, ...gradients]) body.advance(row, 64);
      });
      for (const i of range(ANY_GROUP)) {
        const [a, b, c, d] = sums.slice(4 * i, 4 * i + 4) as [Local, Local, Local, Local];
        body.set(sums[i]!, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
      }
      const [a, b, c] = sums as [Local, Local, Local];
      body.storeV128(p.out, sumsOfLanes(a, b, c, c));
      for (const pointer of [p.inputOffsets, p.gradientOffsets, p.out]) body.advance(pointer, 4 * ANY_GROUP);
    });
  });
}

/** Sums of rows over `bytes` bytes (a multiple of 32): the gradients of a pruned network's biases. */
export function rowSums(assembler: Assembler): void {
  assembler.define('rowSums', ['rows', 'bytes', 'source', 'sourceStride', 'out'], (body, p) => {
    const sums = [body.local('v128'), body.local('v128')] as const;
    const at = body.local('i32');
    const end = body.local('i32');
    body.repeat(p.rows, () => {
      for (const sum of sums) body.set(sum, zero);
      body.set(at, p.source);
      body.set(end, i32.add(at, p.bytes));
      body.while(i32.ltU(at, end), () => {
        for (const [i, sum] of sums.entries()) body.set(sum, f32x4.add(sum, v128.load(at, 16 * i)));
        body.advance(at, 32);
      });
      body.set(sums[0], f32x4.add(sums[0], sums[1]));
      body.storeLane0(p.out, sumsOfLanes(sums[0], sums[0], sums[0], sums[0]));
      body.advance(p.out, 4);
      body.advance(p.source, p.sourceStride);
    });
  });
}

/** How many of `vectors` x 4 floats in each of `rows` rows are above zero. */
export function countPositive(assembler: Assembler): void {
  assembler.define(
    'countPositive',
    ['rows', 'vectors', 'source', 'sourceStride'],
    (body, p) => {
      const count = body.local('v128', i32x4.const(0));
      const at = body.local('i32');
      body.repeat(p.rows, () => {
        body.set(at, p.source);
        body.repeat(p.vectors, () => {
          body.set(count, i32x4.sub(count, f32x4.gt(v128.load(at), zero)));
          body.advance(at, 16);
        });
        body.advance(p.source, p.sourceStride);
      });
      const lanes = range(4).map((lane) => i32x4.extractLane(lane, count));
      body.result(lanes.reduce((sum, lane) => i32.add(sum, lane)));
    },
    ['i32'],
  );
}
