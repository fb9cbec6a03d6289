import { describe, expect, it } from 'vitest';
import { CLAIMS, judge } from '../../../charts/claims';
import { claimsMarkdown } from '../../../charts/claims/markdown';
import { holm } from '../../../charts/decision';
import { bestOnValidation } from '../../../charts/study';
import { ARTICLE, studyFrom } from '../study';

/** Seeds differ by a few images, otherwise nothing could be tested. */
const noise = (seed: number) => [0, 3, -2, 1][seed]!;

function verdicts(correctOf: (recovery: string, network: string) => number): Record<string, string> {
  const study = studyFrom([ARTICLE], ({ trial: { content }, seed, network }) => {
    const { recovery } = content.recipe;
    return correctOf(recovery, network) + (recovery === 'regrow' ? 2 : 1) * noise(seed);
  });
  return Object.fromEntries(judge(study).map(({ name, verdict }) => [name, verdict]));
}

describe('claims', () => {
  it('have names of their own and say their rule', () => {
    expect(new Set(CLAIMS.map(({ name }) => name)).size).toBe(CLAIMS.length);
    for (const { rule, statement } of CLAIMS) expect(rule.length * statement.length).toBeGreaterThan(100);
  });

  it('are reproduced by a world that is as they say, and refuted by the opposite', () => {
    const asSaid = verdicts((recovery, network) =>
      recovery === 'masked' ? (network === '600-100' ? 8900 : 6500) : 9600,
    );
    expect(asSaid).toMatchObject({
      ...{ 'zeroed-weights-train': 'reproduced', '300-100-masked': 'reproduced', '300-100-regrown': 'reproduced' },
      ...{ '600-100-masked': 'reproduced', '300-200-regrown': 'reproduced' },
    });
    const opposite = verdicts((recovery) => (recovery === 'masked' ? 9500 : 9000));
    expect(opposite).toMatchObject({
      ...{ 'zeroed-weights-train': 'refuted', '300-100-masked': 'refuted', '300-300-regrown': 'refuted' },
    });
  });

  it('are not judged by a part of what they take, and say what is missing', () => {
    const study = studyFrom([{ ...ARTICLE, hiddenWidths: [[300, 100]] }], () => 9000);
    const half = judge(study).find(({ name }) => name === 'half-of-relus')!;
    expect(half).toMatchObject({ verdict: 'not judged', comparisons: [] });
    expect(half.missing).toContain('1200-100');
  });

  it('are corrected together: every comparison of every claim is in the family', () => {
    const study = studyFrom([ARTICLE], ({ seed }) => 9000 + noise(seed));
    const tests = judge(study).flatMap(({ comparisons }) => comparisons);
    expect(tests.length).toBeGreaterThan(20);
    expect(tests.map(({ adjusted }) => adjusted)).toEqual(holm(tests.map(({ p }) => p)));
    expect(claimsMarkdown(judge(study))).toContain(`all ${tests.length} comparisons`);
  });
});

describe('our recipe for a published number', () => {
  it('is chosen on validation images, whatever the test set says', () => {
    const spec = {
      dataset: { name: 'mnist', validation: 5000 },
      pruneRatios: [0, 0.95],
      seeds: 3,
      recipes: [{ l2: 0.0001 }, { l1: 0.00001 }],
    };
    const study = studyFrom([spec], ({ trial: { content } }) => {
      const isL2 = content.training.l2 > 0;
      return {
        test: { correct: isL2 ? 9700 : 9900, images: 10000, loss: 0.1 },
        validation: { correct: isL2 ? 4950 : 4900, images: 5000, loss: 0.1 },
      };
    });
    const best = bestOnValidation(study, 13310)!;
    expect(best.tries).toBe(2);
    expect(best.rows.map(({ training }) => training.l2)).toEqual([0.0001, 0.0001, 0.0001]);
  });
});
