import { describe, expect, it } from 'vitest';
import { judge } from '../../charts/claims';
import { FIGURES } from '../../charts/figures';
import { isMissing } from '../../charts/figures/figure';
import { studyOfCsv, trialsCsv } from '../../charts/trials';
import { MNIST } from '../fixtures';
import { ARTICLE, studyFrom } from './study';

const specs = [
  { ...ARTICLE, dataset: { name: 'mnist', validation: 5000 } },
  {
    pruneRatios: [0, 0.5],
    recipes: [
      { linear: ['fc1'], l2: 0.0001 },
      { keepDense: ['fc3'], recovery: 'none' },
    ],
  },
];
const study = studyFrom(specs, ({ seed, trial: { content } }) => ({
  test: { correct: 9000 + seed, images: 10000, loss: 0.3 },
  ...(content.validation > 0 ? { validation: { correct: 4500 + seed, images: 5000, loss: 0.3 } } : {}),
}));
const again = studyOfCsv(trialsCsv(study.rows), MNIST);

describe("a study's CSV", () => {
  it('gives the same rows again, to the last digit', () => {
    expect(again.rows).toEqual(study.rows);
  });

  it('gives the same verdicts, and the same numbers in every figure that takes no records', () => {
    expect(judge(again)).toEqual(judge(study));
    const same = FIGURES.filter(({ make }) => {
      const [mine, theirs] = [make(study), make(again)];
      if (isMissing(mine) || isMissing(theirs)) return false;
      expect(theirs.drawn).toEqual(mine.drawn);
      return true;
    });
    expect(same.length).toBeGreaterThan(6);
  });
});
