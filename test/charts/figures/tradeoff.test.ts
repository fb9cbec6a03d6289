import { describe, expect, it } from 'vitest';
import { PUBLISHED } from '../../../charts/published';
import { ARTICLE, csvRows, halfOfThree, studyFrom } from '../study';

describe('error against remaining weights', () => {
  const study = studyFrom([ARTICLE], ({ seed, network, trial: { content } }) => {
    const wide = Number(network.split('-')[0]);
    return 9000 + wide / 10 + (content.recipe.recovery === 'regrow' ? 100 : 0) + 2 * seed;
  });
  const rows = csvRows('tradeoff', study);
  const measured = rows.filter(({ recipe }) => recipe !== 'published');

  it('has every network, recipe and count of the records, with its mean error and interval', () => {
    expect(measured).toHaveLength(6 * 3 * 5);
    const row = measured.find(
      (one) =>
        one.recipe === 'magnitude/global/regrow/iterative' &&
        one.network === '1200-100' &&
        one.remaining_weights === 1641,
    )!;
    expect(row.error_percent).toBeCloseTo(100 - 92.24, 10);
    expect(row.low_percent).toBeCloseTo(7.76 - halfOfThree(0.02), 8);
    expect(row.high_percent).toBeCloseTo(7.76 + halfOfThree(0.02), 8);
    expect(row.n).toBe(3);
  });

  it('has, beside the published points, the setting that validation images choose where several were tried', () => {
    const spec = {
      ...{ hiddenWidths: [[300, 100]], remainingWeights: [13310, 20000], seeds: 3 },
      ...{ dataset: { name: 'mnist', validation: 5000 }, recipes: [{ l2: 0.0001 }, { l1: 0.00001 }] },
    };
    const tuned = studyFrom([spec], ({ trial: { content } }) => ({
      test: { correct: content.training.l2 > 0 ? 9700 : 9900, images: 10000, loss: 0.1 },
      validation: { correct: content.training.l2 > 0 ? 4950 : 4900, images: 5000, loss: 0.1 },
    }));
    const chosen = csvRows('tradeoff', tuned).filter(({ recipe }) => String(recipe).startsWith('setting chosen'));
    const at = (count: number) => chosen.find(({ remaining_weights }) => remaining_weights === count);
    expect(at(13310)?.error_percent).toBeCloseTo(3, 10);
    expect(at(13310)?.n).toBe(3);
    expect(at(20000)).toBeUndefined();
  });

  it('has every published point, at its share of 266,200 weights', () => {
    const published = rows.filter(({ recipe }) => recipe === 'published');
    expect(published).toHaveLength(PUBLISHED.length);
    expect(published[0]).toMatchObject({ network: 'Han et al.', remaining_weights: 21_828, error_percent: 1.59 });
    expect(published.at(-1)).toMatchObject({ network: 'LC 1 %', remaining_weights: 2662, error_percent: 3.2 });
  });
});
