import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, summarise, t975 } from '../../sweep/statistics';

describe("Student's t", () => {
  // scipy.stats.t.ppf(0.975, df), scipy 1.x
  const scipy: [number, number][] = [
    [1, 12.706204736432095],
    [2, 4.302652729696142],
    [4, 2.7764451051977987],
    [9, 2.2621571628540993],
    [30, 2.0422724563012373],
    [31, 2.039513446396408],
    [32, 2.0369333434601011],
    [40, 2.021075390306273],
    [100, 1.9839715185235518],
    [1000, 1.9623390808264083],
  ];
  it('agrees with scipy', () => {
    for (const [df, value] of scipy) expect(Math.abs(t975(df) - value)).toBeLessThan(1e-8);
  });

  it('falls with every degree of freedom, and never below the normal quantile', () => {
    for (let df = 1; df < 500; df++) {
      expect(t975(df)).toBeGreaterThan(t975(df + 1));
      expect(t975(df)).toBeGreaterThan(1.959963984);
    }
  });
});

describe('a summary', () => {
  it('of five values is that of numpy and scipy', () => {
    // numpy.std(ddof=1) and scipy.stats.t.interval(0.95, 4, mean, sem)
    const { mean, sd, low, high, n } = summarise([0.981, 0.979, 0.984, 0.9805, 0.9795]);
    expect(n).toBe(5);
    expect(mean).toBeCloseTo(0.9808, 12);
    expect(sd).toBeCloseTo(0.001955760721561, 12);
    expect(low).toBeCloseTo(0.978371602322937, 10);
    expect(high).toBeCloseTo(0.983228397677063, 10);
  });

  it('of one value has no spread', () => {
    expect(summarise([0.9])).toEqual({ n: 1, mean: 0.9 });
  });

  it('of equal values has a spread of about nothing', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 2, max: 40 }), (value, n) => {
        const { mean, sd } = summarise(Array.from({ length: n }, () => value));
        expect(mean).toBeCloseTo(value, 12);
        expect(sd).toBeLessThan(1e-12);
      }),
    );
  });
});

describe('the median', () => {
  it('is the middle of an odd count, half way between the two of an even one, and moves with none of the extremes', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 2, 9, 1])).toBe(5.5);
    expect(median([3, 1, 1e9])).toBe(3);
    expect(median([7])).toBe(7);
  });
});
