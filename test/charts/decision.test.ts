import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { holm, testRegion, together, verdictOf } from '../../charts/decision';

interface Case {
  values: number[];
  bound: number;
  mean: number;
  low: number;
  high: number;
  p: number;
}

/** Made by the program beside it, with scipy. */
const { cases } = JSON.parse(readFileSync(join(__dirname, '../fixtures/statistics/scipy.json'), 'utf8')) as {
  cases: Case[];
};

describe('a mean beside a bound', () => {
  it("has scipy's mean, interval and two-sided p, whichever side the claim is on", () => {
    expect(cases.length).toBeGreaterThan(20);
    for (const { values, bound, mean, low, high, p } of cases)
      for (const region of [{ low: bound }, { high: bound }]) {
        const test = testRegion(values, region);
        expect(test.mean).toBeCloseTo(mean, 10);
        expect(test.low).toBeCloseTo(low, 8);
        expect(test.high).toBeCloseTo(high, 8);
        expect(test.p).toBeCloseTo(p, 8);
        expect(test.isInside).toBe('low' in region ? mean >= bound : mean <= bound);
      }
  });

  it('is below 0.05 just when the 95 % interval is wholly on one side', () => {
    for (const { values, bound } of cases) {
      const { p, low, high } = testRegion(values, { low: bound });
      expect(p < 0.05).toBe(low! > bound || high! < bound);
    }
  });
});

describe('a mean in a range', () => {
  const values = [1, 1.2, 0.9, 1.1, 0.8];

  it('takes both bounds to be inside, and one to be outside', () => {
    expect(testRegion(values, { low: 0, high: 2 }).p).toBeLessThan(0.05);
    expect(testRegion(values, { low: 0, high: 2 }).isInside).toBe(true);
    expect(testRegion(values, { low: 0.95, high: 2 }).p).toBeGreaterThan(0.05);
    expect(testRegion(values, { low: 3, high: 4 })).toMatchObject({ isInside: false });
    expect(testRegion(values, { low: 3, high: 4 }).p).toBeLessThan(0.05);
  });

  it('is never concluded from one seed, and from equal values just when they are off the bounds', () => {
    expect(testRegion([50], { low: 0 }).p).toBe(1);
    expect(testRegion([50, 50], { low: 0 }).p).toBe(0);
    expect(testRegion([0, 0], { low: 0 }).p).toBe(1);
  });
});

describe('several claims', () => {
  it("are corrected to statsmodels' Holm", () => {
    const expected = [0.007, 0.16, 0.072, 0.6, 0.9, 0.072, 0.16];
    for (const [at, p] of holm([0.001, 0.04, 0.012, 0.3, 0.9, 0.012, 0.0499]).entries())
      expect(p).toBeCloseTo(expected[at]!, 12);
  });

  it('are reproduced, refuted or neither, and a claim of parts falls with one', () => {
    expect(verdictOf({ isInside: true }, 0.04)).toBe('reproduced');
    expect(verdictOf({ isInside: false }, 0.04)).toBe('refuted');
    expect(verdictOf({ isInside: true }, 0.05)).toBe('inconclusive');
    expect(together(['reproduced', 'reproduced'])).toBe('reproduced');
    expect(together(['reproduced', 'inconclusive'])).toBe('inconclusive');
    expect(together(['reproduced', 'inconclusive', 'refuted'])).toBe('refuted');
  });
});
