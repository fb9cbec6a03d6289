import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FitSettings } from '../../../../../trainer/engine/engine';
import type { KernelSettings } from '../../../../../trainer/engine/wasm/kernels/optimiser';
import { Schedule } from '../../../../../trainer/engine/wasm/schedule';
import { numbers, Workbench } from './workbench';

const SETTINGS: FitSettings = {
  ...{ epochs: 1, batchSize: 8, optimizer: 'adam', learningRate: 0.001, momentum: 0.9, l1: 0, l2: 0 },
};
const VECTORS = 5;
const state = fc.record({
  weights: numbers(4 * VECTORS, 0.1),
  first: numbers(4 * VECTORS, 0.3),
  second: numbers(4 * VECTORS, 0.3).map((all) => all.map(Math.abs)),
  gradient: numbers(4 * VECTORS, 0.3),
  steps: fc.integer({ min: 0, max: 500 }),
});

interface Scalars {
  weight: number;
  first: number;
  second: number;
}

/** The step as its papers write it, in float64. */
function step({ weight, first, second }: Scalars, gradient: number, settings: FitSettings, number: number): Scalars {
  const g = gradient + settings.l1 * Math.sign(weight) + settings.l2 * weight;
  if (settings.optimizer === 'sgd') {
    const moment = settings.momentum * first + g;
    return { weight: weight - settings.learningRate * moment, first: moment, second };
  }
  const [m, v] = [0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g];
  const [mHat, vHat] = [m / (1 - 0.9 ** number), v / (1 - 0.999 ** number)];
  return { weight: weight - (settings.learningRate * mHat) / (Math.sqrt(vHat) + 1e-8), first: m, second: v };
}

const kinds: [string, Partial<FitSettings>][] = [
  ['adam', {}],
  ['adam with l1 and l2', { l1: 1e-3, l2: 1e-2 }],
  ['sgd with momentum', { optimizer: 'sgd' }],
  ['sgd with momentum, l1 and l2', { optimizer: 'sgd', l1: 1e-3, l2: 1e-2 }],
];

describe('a step of the optimiser', () => {
  it.each(kinds)('of %s is the formula, on lists of weights and on rows of a matrix, masked or not', (_, partial) => {
    const settings = { ...SETTINGS, ...partial };
    const decay = settings.l1 !== 0;
    for (const masked of [false, true]) {
      const kernelSettings: KernelSettings = { optimizer: settings.optimizer, decay, masked };
      const bench = new Workbench(kernelSettings);
      fc.assert(
        fc.property(state, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), (start, mask) => {
          const { arena, kernels } = bench;
          arena.reset();
          const schedule = new Schedule(arena, settings, start.steps);
          schedule.begin(8);
          schedule.setDecay(true);
          const flat = [start.weights, start.first, start.second, start.gradient].map((values) => bench.floats(values));
          kernels.updateFlat!(VECTORS, ...flat);
          // The same gradient as a sum: one image of value 1, its output gradients the row.
          const distance = 16 * VECTORS;
          const ones = bench.words(mask.map((kept) => (kept ? 0xffffffff : 0)));
          const rows = arena.allocate(4 * distance);
          for (const [part, values] of [start.weights, start.first, start.second].entries())
            arena.f32(rows + part * distance, 4 * VECTORS).set(values);
          arena.u32(rows + 3 * distance, 4 * VECTORS).set(arena.u32(ones, 4 * VECTORS));
          const list = bench.lists([[{ index: 0, value: 1 }]]);
          kernels[`panel.update${VECTORS}`]!(1, list, 4, bench.floats(start.gradient), rows, distance, distance, 0);
          for (let i = 0; i < 4 * VECTORS; i++) {
            const before = { weight: start.weights[i]!, first: start.first[i]!, second: start.second[i]! };
            const check = (gradient: number, read: (part: 0 | 1 | 2) => number) => {
              const after = step(before, gradient, settings, start.steps + 1);
              const size = Math.abs(before.first) + Math.abs(gradient) + 0.02 * Math.abs(before.weight) + 1e-3;
              expect(Math.abs(read(1) - after.first)).toBeLessThanOrEqual(1e-6 * size);
              expect(Math.abs(read(2) - after.second)).toBeLessThanOrEqual(1e-6 * (after.second + 1e-30));
              const moved = Math.abs(after.weight - before.weight);
              // A moment near zero divided by a root near zero may be any small step; the rate bounds it.
              expect(Math.abs(read(0) - after.weight)).toBeLessThanOrEqual(
                1e-5 * (moved + Math.abs(before.weight)) +
                  (settings.optimizer === 'adam' && after.second < 1e-12 ? 0.02 : 0),
              );
            };
            check(start.gradient[i]!, (part) => arena.f32(flat[part]!, 4 * VECTORS)[i]!);
            check(
              masked && !mask[i] ? 0 : start.gradient[i]!,
              (part) => arena.f32(rows + part * distance, 4 * VECTORS)[i]!,
            );
          }
        }),
        { numRuns: 60, seed: 1 },
      );
    }
  });

  it('leaves no denormal number behind, since one operand costs a hundred cycles', () => {
    const bench = new Workbench();
    const { arena, kernels } = bench;
    const schedule = new Schedule(arena, SETTINGS, 10);
    const values = [1e-37, -1e-37, 1.2e-38, 1e-38];
    const parts = [values, values, values.map(Math.abs), [0, 0, 0, 0]].map((part) => bench.floats(part));
    for (let n = 0; n < 2000; n++) {
      schedule.begin(8);
      kernels.updateFlat!(1, ...parts);
      for (const part of [1, 2])
        for (const value of bench.readFloats(parts[part]!, 4))
          expect(value === 0 || Math.abs(value) >= 2 ** -126).toBe(true);
    }
  });
});
