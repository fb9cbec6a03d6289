/** From logits to the gradient of the loss. */
import { type Assembler, type Body, type Expression, f32, f32x4, i32, i32x4, type Local, v128 } from '../assembler';
import { CONSTANT } from './memory';
import { zero } from './vocabulary';

/** Probabilities below this are taken for 0, so that gradients stay far from denormals. */
const NO_PROBABILITY = 1e-12;

/**
 * e^x for x <= 0 to 2 ulp, by Cephes' expf: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2], from operations whose
 * rounding IEEE 754 fixes.
 */
function exponential(body: Body, argument: Expression): Local {
  const x = body.local('v128', f32x4.pmax(argument, f32x4.const(-87)));
  const n = body.local('v128', f32x4.nearest(f32x4.mul(x, f32x4.const(Math.LOG2E))));
  const high = f32x4.sub(x, f32x4.mul(n, f32x4.const(0.693359375)));
  const r = body.local('v128', f32x4.sub(high, f32x4.mul(n, f32x4.const(-2.1219444e-4))));
  const y = body.local('v128', f32x4.const(1.987569115e-4));
  for (const coefficient of [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])
    body.set(y, f32x4.add(f32x4.mul(y, r), f32x4.const(coefficient)));
  body.set(y, f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(r, r), y), r), f32x4.const(1)));
  const power = i32x4.shl(i32x4.add(i32x4.truncSatF32x4(n), i32x4.const(127)), 23);
  body.set(y, f32x4.mul(y, power));
  return y;
}

/**
 * Logits to the gradient of the mean cross-entropy, in place: (softmax - one-hot) / images. `logits` is
 * [classes, lanes], rows `stride` bytes apart, `lanes` a multiple of 4 of which the first `images` count and the others
 * become 0. Leaves in `chosen` each image's label's probability / images, and in `peak` the largest, equal when right.
 */
export function softmax(assembler: Assembler): void {
  const parameters = ['lanes', 'images', 'classes', 'logits', 'stride', 'order', 'labels', 'chosen', 'peak'] as const;
  assembler.define('softmax', parameters, (body, p) => {
    const at = body.local('i32');
    const column = body.local('i32', p.logits);
    const largest = body.local('v128');
    const sum = body.local('v128');
    const overClasses = (statements: () => void) => {
      body.set(at, column);
      body.repeat(p.classes, () => {
        statements();
        body.advance(at, p.stride);
      });
    };
    const peak = body.local('i32', p.peak);
    body.repeat(i32.shrU(p.lanes, 2), () => {
      body.set(largest, v128.load(column));
      overClasses(() => body.set(largest, f32x4.pmax(largest, v128.load(at))));
      body.set(sum, zero);
      overClasses(() => {
        const power = exponential(body, f32x4.sub(v128.load(at), largest));
        body.set(sum, f32x4.add(sum, power));
        body.storeV128(at, power);
      });
      const share = body.local('v128', f32x4.div(f32x4.const(1), sum));
      const perImage = v128.load(CONSTANT.perImage);
      overClasses(() => {
        const probability = body.local('v128', f32x4.mul(v128.load(at), share));
        const kept = v128.and(probability, f32x4.gt(probability, f32x4.const(NO_PROBABILITY)));
        body.storeV128(at, f32x4.mul(kept, perImage));
      });
      body.storeV128(peak, f32x4.mul(share, perImage));
      body.advance(peak, 16);
      body.advance(column, 16);
    });
    const lane = body.local('i32', 0);
    body.while(i32.ltU(lane, p.images), () => {
      const label = i32.load8U(i32.add(p.labels, i32.load(p.order)), 0, 1);
      body.set(at, i32.add(i32.add(p.logits, i32.mul(label, p.stride)), i32.shl(lane, 2)));
      body.storeF32(p.chosen, f32.load(at));
      body.storeF32(at, f32.sub(f32.load(at), f32.load(CONSTANT.perImage)));
      for (const pointer of [p.order, p.chosen]) body.advance(pointer, 4);
      body.advance(lane, 1);
    });
    body.while(i32.ltU(lane, p.lanes), () => {
      body.set(at, i32.add(p.logits, i32.shl(lane, 2)));
      body.repeat(p.classes, () => {
        body.storeF32(at, f32.const(0));
        body.advance(at, p.stride);
      });
      body.advance(lane, 1);
    });
  });
}
