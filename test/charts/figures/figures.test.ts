import { describe, expect, it } from 'vitest';
import { FIGURES } from '../../../charts/figures';
import { isMissing } from '../../../charts/figures/figure';
import { WIDTHS } from '../../../charts/figures/style';
import { virtualDocument } from '../../../charts/render';
import { ARTICLE, make, studyFrom } from '../study';

/** Wider networks are better by 10 images a step, regrow by 50, and seeds differ by one image. */
const RECOVERY: Record<string, number> = { masked: 0, regrow: 50, none: -500 };
const article = studyFrom([ARTICLE], ({ trial: { content }, seed }) => {
  const { hiddenWidths, recipe, remainingWeights } = content;
  return 9000 + hiddenWidths[0]! / 10 + (remainingWeights < 3000 ? RECOVERY[recipe.recovery]! : 0) + seed;
});

const rowsOf = (name: string, study = article) => make(name, study).drawn.rows as Record<string, number | string>[];

describe('the figures', () => {
  it('have names of their own, and say what to run where there is nothing', () => {
    expect(new Set(FIGURES.map(({ name }) => name)).size).toBe(FIGURES.length);
    const empty = studyFrom([], () => 0);
    for (const { name, make: of } of FIGURES) {
      const made = of(empty);
      expect(isMissing(made) && made.missing, name).toMatch(/run/);
    }
  });

  it('of the article are drawn at both widths, their labels within the picture', () => {
    for (const name of [
      'article-networks',
      'article-layers',
      'article-relu',
      'article-table',
      'regrow',
      'widths',
      'budget',
    ])
      for (const width of Object.values(WIDTHS)) {
        const drawing = make(name, article).draw({ document: virtualDocument(), width });
        expect(Number(drawing.getAttribute('width'))).toBeCloseTo(width, 6);
        expect(Number(drawing.getAttribute('height'))).toBeGreaterThan(50);
        expect(drawing.outerHTML).not.toMatch(/NaN|undefined/);
        expect(drawing.textContent).toContain(make(name, article).drawn.note.split(' ')[0]);
      }
  });
});

describe('masked against regrow', () => {
  it('is the mean of the differences of the same seeds, in points', () => {
    const rows = rowsOf('regrow');
    expect(rows).toHaveLength(6 * 4);
    for (const row of rows) {
      expect(row.difference_points).toBeCloseTo(Number(row.remaining_weights) < 3000 ? 0.5 : 0, 10);
      expect(row.n).toBe(3);
      expect(row.low).toBeCloseTo(Number(row.difference_points), 10);
    }
  });
});

describe('width against accuracy', () => {
  it('has the networks N-100 alone, at counts that they share, and marks the best', () => {
    // 2,663 is drawn as 2,657.
    expect(new Set(rowsOf('widths').map((row) => row.remaining_weights))).toEqual(new Set([2657, 1641]));
    const rows = rowsOf('widths').filter((row) => row.remaining_weights === 2657);
    expect(rows.map((row) => row.network)).toEqual(['150-100', '300-100', '600-100', '1200-100']);
    expect(rows.map((row) => row.is_peak)).toEqual(['no', 'no', 'no', 'yes']);
    // Seeds 1 to 3 of 9000 + 15 images: 90.17 % in the mean, sd 0.01, t(0.975, 2) = 4.3027.
    expect(rows[0]!.accuracy_percent).toBeCloseTo(90.17, 10);
    expect(rows[0]!.high).toBeCloseTo(90.17 + (4.302652729749 * 0.01) / Math.sqrt(3), 8);
  });
});

describe('shares of the budget', () => {
  it('add up to all of it', () => {
    const rows = rowsOf('budget');
    for (const count of [2657, 1641])
      for (const network of ['150-100', '1200-100']) {
        const own = rows.filter((row) => row.remaining_weights === count && row.network === network);
        expect(own.map((row) => row.layer)).toEqual(['fc1', 'fc2', 'fc3']);
        expect(own.reduce((sum, row) => sum + Number(row.share_percent), 0)).toBeCloseTo(100, 10);
      }
  });
});

describe("the article's networks", () => {
  it('stand beside what it reports', () => {
    const rows = rowsOf('article-networks');
    const fc1 = rows.find((row) => row.network === '1200-100' && String(row.quantity).includes('fc1'));
    expect(fc1).toMatchObject({ percent: 50, article_percent: (100 * 623) / 1200 });
    const table = rowsOf('article-table').find((row) => row.network === '300-200');
    expect(table).toMatchObject({ remaining_weights: 2663, article_regrow_percent: 96, n: 3 });
    expect(table!.masked_percent).toBeCloseTo(90.32, 10);
    expect(table!.regrow_percent).toBeCloseTo(90.82, 10);
  });

  it('lose what their records say without a ReLU', () => {
    const row = rowsOf('article-relu').find(
      (one) => one.network === '300-100' && one.state === 'dense' && one.change === 'ReLU of fc2 removed',
    );
    expect(row!.accuracy_percent).toBeCloseTo(90.32 - 2, 10);
  });
});
