/** Words that several kernels are written in. */
import { type Body, type Expression, f32x4, type Local, type Operand, v128 } from '../assembler';

export const range = (count: number) => [...Array(count).keys()];
export const zero = f32x4.const(0);

/** Bytes of an entry: its index and its value. */
export const ENTRY_SHIFT = 3;
export const ENTRY = 1 << ENTRY_SHIFT;

/** Appends the entry {index, value} at `entry`. */
export function append(body: Body, entry: Local, index: Operand, value: Expression): void {
  body.storeI32(entry, index);
  body.storeF32(entry, value, 4);
}

/** Lanes of four vectors summed to one vector, one sum a lane: ((0+1)+(2+3)) of each. */
export function sumsOfLanes(a: Operand, b: Operand, c: Operand, d: Operand): Expression {
  const pairs = (x: Operand, y: Operand, lanes: [number, number, number, number]) => v128.shuffle(x, y, lanes);
  const [lowAB, highAB] = [pairs(a, b, [0, 4, 1, 5]), pairs(a, b, [2, 6, 3, 7])];
  const [lowCD, highCD] = [pairs(c, d, [0, 4, 1, 5]), pairs(c, d, [2, 6, 3, 7])];
  return f32x4.add(
    f32x4.add(v128.shuffle(lowAB, lowCD, [0, 1, 4, 5]), v128.shuffle(lowAB, lowCD, [2, 3, 6, 7])),
    f32x4.add(v128.shuffle(highAB, highCD, [0, 1, 4, 5]), v128.shuffle(highAB, highCD, [2, 3, 6, 7])),
  );
}
