/** Width of fc1 against accuracy and against the budget's shares, at counts that all networks are pruned to. */
import {
  accuracyPercent,
  type Group,
  groupBy,
  groupsOf,
  MASKED,
  mainRows,
  ofRecipe,
  type Row,
  type Study,
} from '../study';
import { drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { whole } from './style';
import { seedsNote } from './tradeoff';

export interface WidthRow extends Interval {
  remaining_weights: number;
  network: string;
  fc1_width: number;
  accuracy_percent: number;
  /** Whether it is the best width of its count. */
  is_peak: string;
}

export interface BudgetRow extends Interval {
  remaining_weights: number;
  network: string;
  fc1_width: number;
  layer: string;
  /** Of the weights left. */
  share_percent: number;
}

/** Counts that are nearer to each other than this factor would be drawn as one line: the smaller stands for both. */
const NEAR = 1.01;

/** Groups of the networks N-100 by falling count, where at least three have it. */
function atFixedCounts(study: Study, value: (row: Row) => number): Group[][] {
  const own = ofRecipe(mainRows(study), MASKED).filter(
    ({ hiddenWidths: [, fc2, fc3] }) => fc2 === 100 && fc3 === undefined,
  );
  const byCount = groupBy(groupsOf(own, value), ({ remainingWeights }) => String(remainingWeights));
  const counts = [...byCount.values()]
    .filter((groups) => groups.length > 2)
    .sort(([a], [b]) => a!.remainingWeights - b!.remainingWeights);
  const countOf = ([group]: Group[]) => group!.remainingWeights;
  const isNew = (groups: Group[], at: number) => at === 0 || countOf(groups) > NEAR * countOf(counts[at - 1]!);
  return counts.filter(isNew).reverse();
}

const NEEDS = 'masked trials of three or more networks N-100 at the same absolute count (remainingWeights)';
const width = ({ network }: { network: string }) => Number(network.split('-')[0]);

export const widths = figure<WidthRow, Drawn<WidthRow>>({
  name: 'widths',
  title: 'Accuracy against the width of fc1, at equal counts of weights left (N-100)',
  of(study) {
    const rows = atFixedCounts(study, accuracyPercent).flatMap((groups) => {
      const best = Math.max(...groups.map(({ mean }) => mean));
      return groups.map(
        ({ network, remainingWeights, mean, ...summary }): WidthRow => ({
          ...{ remaining_weights: remainingWeights, network, fc1_width: width({ network }), accuracy_percent: mean },
          ...{ is_peak: mean === best ? 'yes' : 'no', ...intervalOf(summary) },
        }),
      );
    });
    if (rows.length === 0) return missing(NEEDS);
    return { rows, note: `Masked, iterative, one threshold for all layers. ${seedsNote(rows)}` };
  },
  draw({ rows, note }, canvas) {
    const lines = rows.map(({ remaining_weights, fc1_width: x, accuracy_percent: y, low, high, n }) => ({
      ...{ panel: '', line: `${whole(remaining_weights)} left`, x, y, low, high, n },
    }));
    return drawCurves(lines, canvas, {
      ...{ title: this.title, note, x: 'units of fc1', y: 'test accuracy (%)', xIsLog: true },
      xTicks: [...new Set(rows.map(({ fc1_width }) => fc1_width))].sort((a, b) => a - b),
      xFormat: String,
    });
  },
});

export const budget = figure<BudgetRow, Drawn<BudgetRow>>({
  name: 'budget',
  title: 'Share of the weights left in fc1, fc2 and fc3, against the width of fc1 (N-100)',
  of(study) {
    const rows = ['fc1', 'fc2', 'fc3'].flatMap((layer, l) =>
      atFixedCounts(study, ({ remainingByLayer, remainingWeights }) => (100 * remainingByLayer[l]!) / remainingWeights)
        .flat()
        .map(
          ({ network, remainingWeights, mean, ...summary }): BudgetRow => ({
            ...{ remaining_weights: remainingWeights, network, fc1_width: width({ network }), layer },
            ...{ share_percent: mean, ...intervalOf(summary) },
          }),
        ),
    );
    if (rows.length === 0) return missing(NEEDS);
    return { rows, note: `Masked, iterative, one threshold for all layers. ${seedsNote(rows)}` };
  },
  draw({ rows, note }, canvas) {
    const lines = rows.map(({ remaining_weights, layer, fc1_width: x, share_percent: y, low, high, n }) => ({
      ...{ panel: `${whole(remaining_weights)} left`, line: layer, x, y, low, high, n },
    }));
    return drawCurves(lines, canvas, {
      ...{ title: this.title, note, x: 'units of fc1', y: 'share (%)', xIsLog: true },
      yOptions: { domain: [0, 100], clamp: true },
      most: 2,
      xTicks: [...new Set(rows.map(({ fc1_width }) => fc1_width))].sort((a, b) => a - b),
      xFormat: String,
    });
  },
});
