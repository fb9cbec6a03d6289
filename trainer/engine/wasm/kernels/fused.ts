/** a * b + c rounded once, for processors that have no instruction for it. */
import { type Assembler, call, f32x4, f64x2, i64x2, type Local, type Operand, v128 } from '../assembler';
import { HAS_FUSED_MULTIPLY_ADD } from '../machine';

/** The function's place in the module: it is defined before every kernel. */
const EMULATION = 0;

/** sum + a b and sum - a b, rounded once. */
export const madd = (sum: Operand, a: Operand, b: Operand) =>
  HAS_FUSED_MULTIPLY_ADD ? f32x4.relaxedMadd(a, b, sum) : call(EMULATION, a, b, sum);
export const nmadd = (sum: Operand, a: Operand, b: Operand) =>
  HAS_FUSED_MULTIPLY_ADD ? f32x4.relaxedNmadd(a, b, sum) : call(EMULATION, f32x4.neg(a), b, sum);

/**
 * In float64 the product is exact; the sum is rounded to odd (Boldo and Melquiond 2008: its last bit is set when it is
 * not exact), so that rounding it to float32 gives what rounding once would.
 */
export function emulateFusedMultiplyAdd(assembler: Assembler): void {
  assembler.define(
    'fusedMultiplyAdd',
    ['a', 'b', 'c'],
    (body, p) => {
      const half = (high: boolean): Local => {
        const wide = (x: Local) => f64x2.promoteLow(high ? v128.shuffle(x, x, [2, 3, 2, 3]) : x);
        const product = body.local('v128', f64x2.mul(wide(p.a), wide(p.b)));
        const c = body.local('v128', wide(p.c));
        const sum = body.local('v128', f64x2.add(product, c));
        const added = body.local('v128', f64x2.sub(sum, product));
        // What the sum lost, exactly (Knuth); not a number where the sum is infinite or not a number.
        const lost = body.local('v128', f64x2.add(f64x2.sub(product, f64x2.sub(sum, added)), f64x2.sub(c, added)));
        const inexact = v128.or(f64x2.lt(lost, f64x2.const(0)), f64x2.gt(lost, f64x2.const(0)));
        const even = i64x2.sub(v128.and(sum, i64x2.const(1)), i64x2.const(1));
        // One up where sum and loss have the same sign, one down where not: to the odd neighbour.
        const towards = v128.or(i64x2.shrS(v128.xor(sum, lost), 63), i64x2.const(1));
        body.set(sum, i64x2.add(sum, v128.and(towards, v128.and(inexact, even))));
        return sum;
      };
      const [low, high] = [half(false), half(true)];
      body.result(v128.shuffle(f64x2.demoteZero(low), f64x2.demoteZero(high), [0, 1, 4, 5]));
    },
    ['v128'],
    'v128',
  );
}
