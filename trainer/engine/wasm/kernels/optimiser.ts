/** The optimiser's step on vectors of weights. */
import { type Assembler, type Body, f32x4, i32, type Local, type Operand, v128 } from '../assembler';
import { madd, nmadd } from './fused';
import { CONSTANT, SCRATCH } from './memory';
import { zero } from './vocabulary';

export interface KernelSettings {
  optimizer: 'adam' | 'sgd';
  /** Whether l1 or l2 is not zero. */
  decay: boolean;
  /** Whether some weights of a dense network are held at zero. */
  masked: boolean;
}

/**
 * Added and taken away again, this rounds to multiples of 2^-123 and so turns what is below 5e-38 into 0: strict
 * WebAssembly has no flush-to-zero, and one denormal operand costs some 100 cycles.
 */
export const FLUSH = 1e-30;

/** Loads what a step needs of the constants into registers, ahead of its loop. */
function loadConstants<Name extends keyof typeof CONSTANT>(body: Body, names: readonly Name[]): Record<Name, Local> {
  const entries = names.map((name) => [name, body.local('v128', v128.load(CONSTANT[name]))]);
  return Object.fromEntries(entries) as Record<Name, Local>;
}

/** Applies a gradient to the vectors of weights at `w`, with moments at `m` and `v`. */
type Step = (gradient: Operand, w: Local, m: Local, v: Local, offset?: number) => void;

/**
 * The optimiser's step, its constants loaded where this is called.
 * adam (Kingma and Ba 2015): m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; w -= rate m / (correction sqrt(v) + epsilon).
 * sgd: m = momentum m + g; w -= rate m.
 * The flush is added where a sum begins and taken away where it ends.
 */
function optimiserStep(body: Body, settings: KernelSettings): Step {
  const { beta1, rate, flush } = loadConstants(body, ['beta1', 'rate', 'flush']);
  const decay = settings.decay ? loadConstants(body, ['l1', 'l2']) : undefined;
  const withDecay = (gradient: Operand, w: Local, offset: number): Local => {
    const g = body.local('v128', gradient);
    if (decay === undefined) return g;
    const weight = body.local('v128', v128.load(w, offset));
    const sign = v128.or(
      v128.and(f32x4.gt(weight, zero), f32x4.const(1)),
      v128.and(f32x4.gt(zero, weight), f32x4.const(-1)),
    );
    body.set(g, madd(madd(g, weight, decay.l2), sign, decay.l1));
    return g;
  };
  if (settings.optimizer === 'sgd')
    return (gradient, w, m, _v, offset = 0) => {
      const g = withDecay(gradient, w, offset);
      const moment = body.local('v128', f32x4.sub(f32x4.add(madd(g, v128.load(m, offset), beta1), flush), flush));
      body.storeV128(m, moment, offset);
      body.storeV128(w, nmadd(v128.load(w, offset), rate, moment), offset);
    };
  const { oneMinusBeta1, beta2, oneMinusBeta2, correction, epsilon } = loadConstants(body, [
    ...(['oneMinusBeta1', 'beta2', 'oneMinusBeta2', 'correction', 'epsilon'] as const),
  ]);
  return (gradient, w, m, v, offset = 0) => {
    const g = withDecay(gradient, w, offset);
    const moment = body.local(
      'v128',
      f32x4.sub(madd(madd(flush, beta1, v128.load(m, offset)), oneMinusBeta1, g), flush),
    );
    body.storeV128(m, moment, offset);
    const square = madd(madd(flush, beta2, v128.load(v, offset)), f32x4.mul(oneMinusBeta2, g), g);
    const kept = body.local('v128', f32x4.sub(square, flush));
    body.storeV128(v, kept, offset);
    const scale = madd(epsilon, f32x4.sqrt(kept), correction);
    body.storeV128(w, nmadd(v128.load(w, offset), rate, f32x4.div(moment, scale)), offset);
  };
}

/** The optimiser's step on a row of weights whose gradient is in registers: it is never written to a gradient matrix. */
export function updateRow(body: Body, settings: KernelSettings, sums: Local[], weights: Local, distance: Local): void {
  for (const [i, sum] of sums.entries()) body.storeV128(SCRATCH, sum, 16 * i);
  const m = body.local('i32', i32.add(weights, distance));
  const v = body.local('i32', i32.add(m, distance));
  const mask = settings.masked ? body.local('i32', i32.add(v, distance)) : undefined;
  const step = optimiserStep(body, settings);
  for (const i of sums.keys()) {
    const gradient = v128.load(SCRATCH, 16 * i);
    step(mask ? v128.and(gradient, v128.load(mask, 16 * i)) : gradient, weights, m, v, 16 * i);
  }
}

/** The optimiser's step on `vectors` vectors of weights with their gradients in memory. */
export function updateFlat(assembler: Assembler, settings: KernelSettings): void {
  assembler.define('updateFlat', ['vectors', 'w', 'm', 'v', 'gradient'], (body, p) => {
    const step = optimiserStep(body, settings);
    body.repeat(p.vectors, () => {
      step(v128.load(p.gradient), p.w, p.m, p.v);
      for (const pointer of [p.w, p.m, p.v, p.gradient]) body.advance(pointer, 16);
    });
  });
}
