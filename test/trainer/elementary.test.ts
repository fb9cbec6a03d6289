import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exp, log } from '../../trainer/engine/elementary';

const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b);

describe('exp and log', () => {
  it('are within 2 ulp of the library', () => {
    fc.assert(
      fc.property(fc.double({ min: -700, max: 700, noNaN: true }), (x) => relative(exp(x), Math.exp(x)) < 4.5e-16),
      { numRuns: 20000 },
    );
    fc.assert(
      fc.property(
        fc.double({ min: 1e-300, max: 1e300, noNaN: true }),
        (x) => x === 1 || relative(log(x), Math.log(x)) < 4.5e-16,
      ),
      { numRuns: 20000 },
    );
  });

  it('are exact where they can be', () => {
    expect(exp(0)).toBe(1);
    expect(log(1)).toBe(0);
    expect(exp(-1000)).toBe(0);
  });
});
