/** Han et al.'s Figures 5 and 6: what pruning costs, by penalty and retraining, and layer by layer. */

import { summarise } from '../../sweep/statistics';
import {
  accuracyPercent,
  denseRows,
  type Group,
  groupsOf,
  hanRows,
  layerPercent,
  mostFrequent,
  paired,
  type Row,
  remainingPercent,
} from '../study';
import { drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { seedsNote } from './tradeoff';

export interface LossRow extends Interval {
  /** The curve: penalty and retraining, or the layer. */
  curve: string;
  remaining_weights: number;
  /** Of all weights, or of the layer's. */
  remaining_percent: number;
  /** Points of test accuracy beside the dense network of the same seed; lost ones are negative. */
  change_points: number;
}

const FIVE = [
  { curve: 'L2, no retraining', penalty: 'l2', recovery: 'none', schedule: 'oneshot' },
  { curve: 'L1, no retraining', penalty: 'l1', recovery: 'none', schedule: 'oneshot' },
  { curve: 'L1, retraining', penalty: 'l1', recovery: 'masked', schedule: 'oneshot' },
  { curve: 'L2, retraining', penalty: 'l2', recovery: 'masked', schedule: 'oneshot' },
  { curve: 'L2, iterative retraining', penalty: 'l2', recovery: 'masked', schedule: 'iterative' },
] as const;

/** Groups' accuracies less those of the dense networks of the same seeds. */
function lossesOf(
  groups: readonly Group[],
  dense: readonly Row[],
  curve: string,
  percent: (row: Row) => number,
): LossRow[] {
  return groups.flatMap(({ rows, remainingWeights }): LossRow[] => {
    const changes = paired(rows, dense).map(({ a, b }) => accuracyPercent(a) - accuracyPercent(b));
    if (changes.length === 0) return [];
    const { mean, ...summary } = summarise(changes);
    const place = { curve, remaining_weights: remainingWeights, remaining_percent: percent(rows[0]!) };
    return [{ ...place, change_points: mean, ...intervalOf(summary) }];
  });
}

const curves = (rows: readonly LossRow[]) =>
  rows.map(({ curve, remaining_percent: x, change_points: y, low, high, n }) => ({
    ...{ panel: '', line: curve, x, y, low, high, n },
  }));

export const figure5 = figure<LossRow, Drawn<LossRow>>({
  name: 'han-figure5',
  title: 'What pruning costs, by penalty and retraining (Han et al., Figure 5)',
  of(study) {
    const rows = FIVE.flatMap(({ curve, penalty, recovery, schedule }) => {
      const own = hanRows(study, penalty, recovery, schedule);
      return lossesOf(groupsOf(own), denseRows(own), curve, remainingPercent);
    });
    const there = new Set(rows.map(({ curve }) => curve));
    const lacking = FIVE.filter(({ curve }) => !there.has(curve)).map(({ curve }) => curve);
    if (lacking.length > 0)
      return missing(`300-100 with scope layer for each of the five curves; there is none for ${lacking.join('; ')}`);
    return {
      rows,
      note: `300-100, threshold per layer. Paired with the dense network of the same seed. ${seedsNote(rows)} Points on the lower edge are at -5 or below.`,
    };
  },
  draw({ rows, note }, canvas) {
    return drawCurves(curves(rows), canvas, {
      ...{ title: this.title, note, x: 'weights left (%)', y: 'change of accuracy (points)', xIsLog: true },
      yOptions: { domain: [-5, 1], clamp: true },
      marks: [0],
      xTicks: [2, 5, 10, 20, 50, 100],
      xFormat: String,
    });
  },
});

/** The layer that is pruned alone, 0 for fc1; undefined when there is none such. */
function prunedAlone({ recipe, sizes }: Row): number | undefined {
  const kept = recipe.keepDense ?? [];
  const names = sizes.slice(1).map((_, l) => `fc${l + 1}`);
  const rest = names.filter((name) => !kept.includes(name));
  return rest.length === 1 ? names.indexOf(rest[0]!) : undefined;
}

export const figure6 = figure<LossRow, Drawn<LossRow>>({
  name: 'han-figure6',
  title: 'What pruning one layer alone costs (Han et al., Figure 6)',
  of({ rows: all }) {
    const alone = all.filter(
      (row) => row.network === '300-100' && row.recipe.recovery === 'none' && prunedAlone(row) !== undefined,
    );
    const own = mostFrequent(alone, ({ training, validation }) => JSON.stringify([training, validation]));
    const rows = [0, 1, 2].flatMap((layer) => {
      const ofLayer = own.filter((row) => prunedAlone(row) === layer);
      return lossesOf(groupsOf(ofLayer), denseRows(ofLayer), `fc${layer + 1}`, (row) => layerPercent(row, layer));
    });
    if (new Set(rows.map(({ curve }) => curve)).size < 3)
      return missing(
        '300-100 with each of its three layers pruned alone: recipes with recovery none and keepDense of the two others',
      );
    return {
      rows,
      note: `300-100, no retraining; the other two layers are dense. Paired with the dense network of the same seed. ${seedsNote(rows)}`,
    };
  },
  draw({ rows, note }, canvas) {
    return drawCurves(curves(rows), canvas, {
      ...{
        title: this.title,
        note,
        x: "weights left of the layer's (%)",
        y: 'change of accuracy (points)',
        xIsLog: true,
      },
      yOptions: { nice: true },
      marks: [0],
      xTicks: [1, 2, 5, 10, 20, 50, 100],
      xFormat: String,
    });
  },
});
