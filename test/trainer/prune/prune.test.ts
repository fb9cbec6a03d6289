import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CRITERIA, type CriterionName } from '../../../sweep/spec';
import { countSurvivors, type Masks } from '../../../trainer/network';
import { keepLargest, prune } from '../../../trainer/prune';
import { PHASES } from '../../../trainer/prune/recovery';
import { RandomStream } from '../../../trainer/random';

const sum = (counts: number[]) => counts.reduce((a, b) => a + b, 0);
const all = (weights: Float32Array[]): Masks => weights.map((layer) => new Uint8Array(layer.length).fill(1));
const stream = () => new RandomStream(1, 'prune');

/** Layers of few distinct magnitudes, so that ties abound. */
const layers = fc.array(
  fc
    .array(
      fc.integer({ min: -6, max: 6 }).map((n) => n / 8),
      { minLength: 1, maxLength: 40 },
    )
    .map((values) => Float32Array.from(values)),
  { minLength: 1, maxLength: 4 },
);

describe('pruning', () => {
  const recipes = (Object.keys(CRITERIA) as CriterionName[]).flatMap((criterion) =>
    (['global', 'layer'] as const).map((scope) => ({ criterion, scope })),
  );
  for (const recipe of recipes)
    it(`leaves exactly the count, among those that were there: ${recipe.criterion}, ${recipe.scope}`, () => {
      fc.assert(
        fc.property(
          layers,
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.double({ min: 0, max: 1, noNaN: true }),
          (weights, a, b) => {
            const total = sum(weights.map((layer) => layer.length));
            const first = Math.round(total * Math.max(a, b));
            const second = Math.min(first, Math.round(total * Math.min(a, b)));
            const once = prune(weights, all(weights), recipe, first, stream());
            const twice = prune(weights, once.masks, recipe, second, stream());
            expect(sum(countSurvivors(once.masks))).toBe(first);
            expect(sum(countSurvivors(twice.masks))).toBe(second);
            for (const [l, mask] of twice.masks.entries())
              for (const [i, kept] of mask.entries()) if (kept) expect(once.masks[l]![i]).toBe(1);
          },
        ),
      );
    });

  it('leaves layers that are kept dense whole, and still exactly the count', () => {
    fc.assert(
      fc.property(layers, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (weights, at, share) => {
        const dense = at % weights.length;
        const kept = weights[dense]!.length;
        const keep = kept + Math.round(share * (sum(weights.map((layer) => layer.length)) - kept));
        for (const recipe of recipes) {
          const { masks, thresholds } = prune(
            ...([weights, all(weights), { ...recipe, keepDense: [`fc${dense + 1}`] }, keep, stream()] as const),
          );
          expect(countSurvivors(masks)[dense]).toBe(kept);
          expect(sum(countSurvivors(masks))).toBe(keep);
          expect(thresholds[dense]).toBe(0);
        }
      }),
    );
  });

  it('by magnitude keeps what sorting by magnitude and then by position keeps', () => {
    fc.assert(
      fc.property(layers, fc.double({ min: 0, max: 1, noNaN: true }), (weights, share) => {
        const places = weights.flatMap((layer, l) => [...layer].map((w, i) => ({ l, i, size: Math.abs(w) })));
        const keep = Math.round(places.length * share);
        const expected = [...places].sort((x, y) => y.size - x.size || x.l - y.l || x.i - y.i).slice(0, keep);
        const { masks, thresholds } = prune(
          weights,
          all(weights),
          { criterion: 'magnitude', scope: 'global' },
          keep,
          stream(),
        );
        expect(
          masks.flatMap((mask, l) => [...mask.entries()].filter(([, kept]) => kept).map(([i]) => `${l} ${i}`)).sort(),
        ).toEqual(expected.map(({ l, i }) => `${l} ${i}`).sort());
        const removed = weights.map((layer, l) =>
          Math.max(0, ...[...layer].filter((_, i) => !masks[l]![i]).map(Math.abs)),
        );
        expect(thresholds).toEqual(removed);
      }),
    );
  });

  it('by layer uses one quality times the standard deviation of each layer', () => {
    const source = new RandomStream(9, 'weights');
    const weights = [0.05, 1, 7].map((scale) =>
      Float32Array.from({ length: 3000 }, () => scale * (source.symmetric() + source.symmetric())),
    );
    const { masks, thresholds } = prune(
      weights,
      all(weights),
      { criterion: 'magnitude', scope: 'layer' },
      900,
      stream(),
    );
    const deviations = weights.map((layer) => {
      const mean = layer.reduce((a, b) => a + b, 0) / layer.length;
      return Math.sqrt(layer.reduce((a, w) => a + (w - mean) ** 2, 0) / layer.length);
    });
    const qualities = thresholds.map((threshold, l) => threshold / deviations[l]!);
    for (const quality of qualities) expect(quality).toBeCloseTo(qualities[0]!, 1);
    for (const [l, layer] of weights.entries())
      for (const [i, w] of layer.entries())
        if (masks[l]![i]) expect(Math.abs(w) / deviations[l]!).toBeGreaterThanOrEqual(Math.max(...qualities) - 1e-6);
  });

  it('at random keeps the same share of each layer by layer, and about the same share of all globally', () => {
    const weights = [10000, 1000, 100].map((n) => new Float32Array(n).fill(1));
    const kept = (scope: 'layer' | 'global') =>
      countSurvivors(prune(weights, all(weights), { criterion: 'random', scope }, 1110, stream()).masks);
    expect(kept('layer')).toEqual([1000, 100, 10]);
    expect(Math.abs(kept('global')[0]! - 1000)).toBeLessThan(60);
  });

  it('at random removes weights that are 0 first', () => {
    const weights = [Float32Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 0 : 1))];
    const { masks } = prune(weights, all(weights), { criterion: 'random', scope: 'global' }, 50, stream());
    expect([...masks[0]!].every((kept, i) => kept === i % 2)).toBe(true);
  });

  it('finds the border among scores of any size', () => {
    const score = fc.oneof(
      fc.constant(0),
      fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }),
      fc.constant(Number.POSITIVE_INFINITY),
    );
    fc.assert(
      fc.property(fc.array(score, { minLength: 1, maxLength: 60 }), fc.nat(60), (scores, wanted) => {
        const layer = Float32Array.from(scores);
        const keep = Math.min(wanted, scores.length);
        const [mask] = keepLargest([layer], [new Uint8Array(scores.length).fill(1)], keep);
        const kept = [...layer].filter((_, i) => mask![i]).sort((a, b) => b - a);
        expect(kept).toEqual([...layer].sort((a, b) => b - a).slice(0, keep));
      }),
    );
  });
});

describe('recovery', () => {
  it('spends the same epochs whichever way, or none', () => {
    for (let epochs = 0; epochs < 9; epochs++) {
      expect(sum(PHASES.masked(epochs).map((phase) => phase.epochs))).toBe(epochs);
      expect(sum(PHASES.regrow(epochs).map((phase) => phase.epochs))).toBe(epochs);
      expect(PHASES.none(epochs)).toEqual([]);
    }
  });
});
