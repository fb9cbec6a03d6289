/** Which retraining gives what: 300-100 at 1 % of its weights, where the article has 65 %. */
import { remainingFor } from '../../sweep/networks';
import { ARTICLE } from '../published';
import { groupBy, groupsOf, isMnist, mainRows, type Row, type Study } from '../study';
import { drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { seedsNote } from './tradeoff';

export interface RetrainingRow extends Interval {
  schedule: string;
  /** How often it is pruned, and retrained, on the way to the count. */
  steps: number;
  /** 0 where nothing is retrained. */
  epochs: number;
  learning_rate_factor: number | undefined;
  remaining_weights: number;
  accuracy_percent: number;
  article_percent: number | undefined;
}

const PUBLISHED_PERCENT = ARTICLE.find(({ network }) => network === '300-100')?.pruned?.accuracyPercent;

/** Trials of 300-100 at 1 %, trained as most of the study is, whatever they were retrained with. */
function retrainedRows(study: Study, main: readonly Row[]): Row[] {
  const training = JSON.stringify([main[0]?.validation, main[0]?.training]);
  return study.rows.filter(
    (row) =>
      row.network === '300-100' &&
      row.remainingWeights === remainingFor(0.99, row.weights) &&
      JSON.stringify([row.validation, row.training]) === training &&
      row.recipe.criterion === 'magnitude' &&
      row.recipe.scope === 'global' &&
      row.recipe.keepDense === undefined &&
      (row.recipe.recovery === 'masked' || row.recipe.recovery === 'none'),
  );
}

export const retraining = figure<RetrainingRow, Drawn<RetrainingRow>>({
  name: 'retraining',
  title: '300-100 at 1 % of its weights: accuracy by how much it is retrained',
  of(study) {
    const own = retrainedRows(study, mainRows(study));
    const article = isMnist(study) ? PUBLISHED_PERCENT : undefined;
    const settings = groupBy(own, (row) => JSON.stringify([row.recipe.schedule, row.retraining]));
    const rows = [...settings.values()].flatMap((ofSetting) =>
      groupsOf(ofSetting).map(({ rows: [first], remainingWeights, mean, ...summary }): RetrainingRow => {
        const { recipe, retraining: again } = first!;
        return {
          ...{ schedule: recipe.schedule, steps: first!.path.length + 1, epochs: again?.epochs ?? 0 },
          learning_rate_factor: again?.learningRateFactor,
          ...{ remaining_weights: remainingWeights, accuracy_percent: mean, ...intervalOf(summary) },
          article_percent: article,
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
      note: `Magnitude, global, masked; 0 epochs: not retrained. ${article === undefined ? '' : `Dashed: the article, ${article} %. `}${seedsNote(rows)}`,
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
      marks: rows.slice(0, 1).flatMap(({ article_percent }) => article_percent ?? []),
      most: 2,
    });
  },
});
