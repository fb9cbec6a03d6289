/** Masked against regrow at equal counts, paired by seed. */
import { summarise } from '../../sweep/statistics';
import { accuracyPercent, groupAt, groupsOf, isDense, MASKED, mainRows, ofRecipe, paired, REGROW } from '../study';
import { drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { seedsNote } from './tradeoff';

export interface DifferenceRow extends Interval {
  network: string;
  remaining_weights: number;
  masked_percent: number;
  regrow_percent: number;
  difference_points: number;
}

export const regrow = figure<DifferenceRow, Drawn<DifferenceRow>>({
  name: 'regrow',
  title: 'Accuracy gained when pruned weights train again (regrow less masked), at equal counts',
  of(study) {
    const main = mainRows(study);
    const masked = ofRecipe(main, MASKED);
    const rows = groupsOf(ofRecipe(main, REGROW).filter((row) => !isDense(row))).flatMap((group): DifferenceRow[] => {
      const { network, remainingWeights } = group;
      const pairs = paired(group.rows, groupAt(masked, network, remainingWeights)?.rows ?? []);
      if (pairs.length === 0) return [];
      const { mean, ...summary } = summarise(pairs.map(({ a, b }) => accuracyPercent(a) - accuracyPercent(b)));
      const of = (which: 'a' | 'b') => summarise(pairs.map((pair) => accuracyPercent(pair[which]))).mean;
      const percents = { masked_percent: of('b'), regrow_percent: of('a'), difference_points: mean };
      return [{ network, remaining_weights: remainingWeights, ...percents, ...intervalOf(summary) }];
    });
    if (rows.length === 0) return missing('masked and regrow trials of the same networks and counts');
    return {
      rows,
      note: `Paired by seed: same dense network, same epochs. ${seedsNote(rows)} Above zero regrow is better.`,
    };
  },
  draw({ rows, note }, canvas) {
    const lines = rows.map(({ network, remaining_weights: x, difference_points: y, low, high, n }) => ({
      ...{ panel: '', line: network, x, y, low, high, n },
    }));
    return drawCurves(lines, canvas, {
      ...{ title: this.title, note, x: 'weights left', y: 'difference (points)', xIsLog: true, marks: [0] },
    });
  },
});
