import { describe, expect, it } from 'vitest';
import { initialise } from '../../trainer/initialise';
import { RandomStream } from '../../trainer/random';

describe('a random stream', () => {
  it('is what it has always been', () => {
    const stream = new RandomStream(1, 'order', 'dense', 0);
    expect(Array.from({ length: 4 }, () => stream.next())).toMatchInlineSnapshot(`
      [
        1861203466,
        2364172711,
        3321282268,
        2220845929,
      ]
    `);
    expect([...new RandomStream(5, 'x').permutation(10)]).toMatchInlineSnapshot(`
      [
        6,
        7,
        5,
        1,
        8,
        0,
        4,
        3,
        9,
        2,
      ]
    `);
  });

  it('differs with the seed and with every part of its purpose', () => {
    const streams = [
      [1, 'a'],
      [2, 'a'],
      [1, 'b'],
      [1, 'a', 0],
      [1, 'a', 1],
    ] as [number, ...string[]][];
    expect(new Set(streams.map((parts) => new RandomStream(...parts).next())).size).toBe(streams.length);
  });

  it('draws every integer below a bound alike (chi squared, 6 sigma)', () => {
    const stream = new RandomStream(3, 'below');
    const [bound, draws] = [37, 370_000];
    const counts = new Array<number>(bound).fill(0);
    for (let i = 0; i < draws; i++) counts[stream.below(bound)]!++;
    const chi = counts.reduce((sum, count) => sum + (count - draws / bound) ** 2 / (draws / bound), 0);
    expect(Math.abs(chi - (bound - 1))).toBeLessThan(6 * Math.sqrt(2 * (bound - 1)));
  });

  it('permutes without loss', () => {
    expect([...new RandomStream(1, 'p').permutation(1000)].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
  });
});

describe('initial weights', () => {
  it('are uniform within the limit of He et al., never 0, and exact in float32', () => {
    const { weights, biases } = initialise([784, 300, 10], 1);
    const limit = Math.sqrt(6 / 784);
    const largest = weights[0]!.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
    expect(largest).toBeLessThanOrEqual(Math.fround(limit));
    expect(largest).toBeGreaterThan(0.999 * limit);
    expect(weights[0]!.includes(0)).toBe(false);
    const variance = weights[0]!.reduce((sum, w) => sum + w * w, 0) / weights[0]!.length;
    expect(variance).toBeCloseTo(2 / 784, 4);
    expect(biases.every((layer) => layer.every((bias) => bias === 0))).toBe(true);
  });

  it('of a layer do not depend on the layers above it', () => {
    expect(initialise([20, 9, 3], 4).weights[0]).toEqual(initialise([20, 9, 7, 2], 4).weights[0]);
  });
});
