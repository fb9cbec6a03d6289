/** Which retraining gives what: 300-100 at 1 % of its weights, where the article has 65 %. */
import { groupBy, groupsOf, mainRows, type Row } from '../study';
import { drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { seedsNote } from './tradeoff';

export interface RetrainingRow extends Interval {
  schedule: string;
  /** 0 where nothing is retrained. */
  epochs: number;
  learning_rate_factor: number | undefined;
  remaining_weights: number;
  accuracy_percent: number;
}

export const ARTICLE_PERCENT = 65;
/** 99 % of 300-100 removed. */
export const RETRAINED_COUNT = 2662;

/** Trials of 300-100 at 1 %, trained as most of the study is, whatever they were retrained with. */
export function retrainedRows(study: { rows: readonly Row[] }, main: readonly Row[]): Row[] {
  const training = JSON.stringify([main[0]?.validation, main[0]?.training]);
  return study.rows.filter(
    (row) =>
      row.network === '300-100' &&
      row.remainingWeights === RETRAINED_COUNT &&
      JSON.stringify([row.validation, row.training]) === training &&
      row.recipe.criterion === 'magnitude' &&
      row.recipe.scope === 'global' &&
      row.recipe.keepDense === undefined &&
      (row.recipe.recovery === 'masked' || row.recipe.recovery === 'none'),
  );
}

export const retraining = figure<RetrainingRow, Drawn<RetrainingRow>>({
  name: 'retraining',
  title: '300-100 at 1 % of its weights: accuracy by how much it is retrained (the article: 65 %)',
  of(study) {
    const own = retrainedRows(study, mainRows(study));
    const settings = groupBy(own, (row) => JSON.stringify([row.recipe.schedule, row.retraining]));
    const rows = [...settings.values()].flatMap((ofSetting) =>
      groupsOf(ofSetting).map(({ rows: [first], remainingWeights, mean, ...summary }): RetrainingRow => {
        const { recipe, retraining: again } = first!;
        return {
          ...{ schedule: recipe.schedule, epochs: again?.epochs ?? 0, learning_rate_factor: again?.learningRateFactor },
          ...{ remaining_weights: remainingWeights, accuracy_percent: mean, ...intervalOf(summary) },
        };
      }),
    );
    rows.sort((a, b) => (a.schedule < b.schedule ? -1 : a.schedule > b.schedule ? 1 : a.epochs - b.epochs));
    if (new Set(rows.map((row) => `${row.epochs} ${row.learning_rate_factor}`)).size < 3)
      return missing(
        'three or more retraining settings (recipes with retraining of their own) of 300-100 at a prune ratio of 0.99',
      );
    return {
      rows,
      note: `Magnitude, global, masked; 0 epochs: not retrained. Dashed: the article. ${seedsNote(rows)}`,
    };
  },
  draw({ rows, note }, canvas) {
    const factors = [...new Set(rows.flatMap((row) => row.learning_rate_factor ?? []))].sort((a, b) => a - b);
    // What is not retrained is where every factor's line begins.
    const lines = rows.flatMap((row) => {
      const { schedule, epochs: x, accuracy_percent: y, low, high, n } = row;
      const on = row.learning_rate_factor === undefined ? factors : [row.learning_rate_factor];
      const panels = row.learning_rate_factor === undefined ? ['oneshot', 'iterative'] : [schedule];
      return panels.flatMap((panel) =>
        on.map((factor) => ({ panel, line: `learning rate x ${factor}`, x, y, low, high, n })),
      );
    });
    lines.sort((a, b) => (a.line < b.line ? -1 : a.line > b.line ? 1 : a.x - b.x));
    return drawCurves(lines, canvas, {
      ...{ title: this.title, note, x: 'epochs of retraining a step', y: 'test accuracy (%)', xFormat: String },
      yOptions: { domain: [0, 100], clamp: true },
      marks: [ARTICLE_PERCENT],
      most: 2,
    });
  },
});
