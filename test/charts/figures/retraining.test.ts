import { describe, expect, it } from 'vitest';
import { csvRows, halfOfThree, studyFrom } from '../study';

const spec = {
  pruneRatios: [0, 0.9, 0.99],
  recipes: [
    { recovery: 'none', schedule: 'oneshot' },
    { schedule: 'oneshot', retraining: { epochs: 1, learningRateFactor: 0.01 } },
    { schedule: 'oneshot', retraining: { epochs: 2, learningRateFactor: 0.1 } },
    { schedule: 'iterative', retraining: { epochs: 2, learningRateFactor: 0.1 } },
    { recovery: 'regrow', retraining: { epochs: 2, learningRateFactor: 0.1 } },
    { criterion: 'random', retraining: { epochs: 2, learningRateFactor: 0.1 } },
  ],
  seeds: 3,
};

describe('the retraining settings', () => {
  const study = studyFrom([spec], ({ seed, recipe, trial: { content } }) => {
    if (content.remainingWeights !== 2662) return 9000;
    const { epochs = 0, learningRateFactor = 0 } = recipe.retraining ?? {};
    const other = recipe.recovery === 'regrow' || recipe.criterion === 'random' ? 5000 : 0;
    return (
      4000 + 1000 * epochs + 1000 * learningRateFactor + (recipe.schedule === 'iterative' ? 500 : 0) + seed - other
    );
  });

  it('are those of magnitude, masked, at 1 % of 300-100, each with its mean accuracy and interval', () => {
    const rows = csvRows('retraining', study);
    expect(
      rows.map(({ schedule, steps, epochs, learning_rate_factor }) => [schedule, steps, epochs, learning_rate_factor]),
    ).toEqual([
      ['iterative', 2, 2, 0.1],
      ['oneshot', 1, 0, undefined],
      ['oneshot', 1, 1, 0.01],
      ['oneshot', 1, 2, 0.1],
    ]);
    for (const [at, percent] of [66.02, 40.02, 50.12, 61.02].entries()) {
      expect(rows[at]!.accuracy_percent).toBeCloseTo(percent, 10);
      expect(rows[at]!.high).toBeCloseTo(percent + halfOfThree(0.01), 8);
      expect(rows[at]).toMatchObject({ article_percent: 65, remaining_weights: 2662, n: 3 });
    }
  });
});
