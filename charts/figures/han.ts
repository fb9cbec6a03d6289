/** Han et al.'s Tables 1 and 2, ours beside theirs. */
import { HAN } from '../published';
import {
  denseRows,
  errorPercent,
  groupAt,
  hanCount,
  hanRows,
  isMnist,
  layerPercent,
  type Row,
  remainingPercent,
  type Study,
} from '../study';
import { type Drawn, figure, type Missing } from './figure';
import { missing } from './rows';
import { drawTable, plusMinus, short } from './style';
import { seedsNote } from './tradeoff';

export interface Table1Row {
  network: string;
  source: string;
  error_percent: number;
  high_percent: number | undefined;
  weights: string;
  compression: number;
  n: number;
}

export interface Table2Row {
  layer: string;
  weights: number;
  active_percent: number;
  han_active_percent: number | undefined;
  remaining_percent: number;
  han_remaining_percent: number | undefined;
  flop_percent: number;
  han_flop_percent: number | undefined;
  n: number;
}

/** Replicates of the recipe that is nearest to theirs, at their share: a threshold a layer, iterative, L2. */
function replicates(study: Study): { dense: Row[]; pruned: Row[]; count: number } | Missing {
  const own = hanRows(study, 'l2', 'masked', 'iterative');
  const count = hanCount(own);
  const group = count === undefined ? undefined : groupAt(own, '300-100', count);
  if (count === undefined || group === undefined)
    return missing("Han's recipe at some 8 %: 300-100, scope layer, masked, iterative, with l2, and dense");
  return { dense: denseRows(own), pruned: group.rows, count };
}

const RECIPE = 'Ours: threshold per layer, L2, iterative.';

export const table1 = figure<Table1Row, Drawn<Table1Row>>({
  name: 'han-table1',
  title: 'LeNet-300-100: error and compression (Han et al., Table 1)',
  of(study) {
    const own = replicates(study);
    if ('missing' in own) return own;
    const ours = (network: string, rows: readonly Row[]): Table1Row[] => {
      const { weights, remainingWeights } = rows[0] ?? { weights: 0, remainingWeights: 0 };
      const group = rows.length === 0 ? undefined : groupAt(rows, '300-100', remainingWeights, errorPercent);
      if (group === undefined) return [];
      const { mean, high, n } = group;
      const counts = { weights: short(remainingWeights), compression: weights / remainingWeights };
      return [{ network, source: 'ours', error_percent: mean, high_percent: high, ...counts, n }];
    };
    const theirs = (network: string, error: number, weights: string, compression: number): Table1Row[] => {
      const row = { network, source: 'Han et al.', error_percent: error, high_percent: undefined };
      return isMnist(study) ? [{ ...row, weights, compression, n: 1 }] : [];
    };
    const rows = [
      ...theirs('dense', HAN.denseErrorPercent, HAN.weights, 1),
      ...ours('dense', own.dense),
      ...theirs('pruned', HAN.prunedErrorPercent, HAN.remaining, HAN.compression),
      ...ours('pruned', own.pruned),
    ];
    return {
      rows,
      note: `${seedsNote(
        rows.filter(({ source }) => source === 'ours'),
        '±',
      )} ${RECIPE}`,
    };
  },
  draw({ rows, note }, canvas) {
    return drawTable(canvas, {
      ...{ title: this.title, rows, note },
      columns: [
        { label: 'network', isText: true, of: ({ network }) => network },
        { label: 'source', isText: true, of: ({ source }) => source },
        { label: 'error (%)', of: (row) => plusMinus({ mean: row.error_percent, high: row.high_percent }) },
        { label: 'weights', of: ({ weights }) => weights },
        { label: 'compression', of: ({ compression }) => `${compression.toFixed(1)}x` },
      ],
    });
  },
});

/**
 * Per layer and in total, in percent: units above zero on average over the test set, weights left, and both multiplied
 * (a weight's product is skipped when its input is zero; the input counts as wholly active).
 */
export function layerShares(row: Row) {
  const { sizes, activeMean, hiddenWidths, flopFraction } = row;
  const layers = row.remainingByLayer.map((_, l) => {
    const remaining = layerPercent(row, l);
    const input = l === 0 ? 1 : activeMean[l - 1]! / sizes[l]!;
    // All of the outputs count as active: the softmax has no zeros.
    const active = l === hiddenWidths.length ? 100 : (100 * activeMean[l]!) / sizes[l + 1]!;
    return { active, remaining, flop: remaining * input };
  });
  const units = sizes.slice(1).reduce((sum, size) => sum + size, 0);
  const active = (100 * (activeMean.reduce((sum, one) => sum + one, 0) + sizes.at(-1)!)) / units;
  return [...layers, { active, remaining: remainingPercent(row), flop: 100 * flopFraction }];
}

export const table2 = figure<Table2Row, Drawn<Table2Row>>({
  name: 'han-table2',
  title: 'LeNet-300-100 layer by layer: active units, weights left, FLOPs (Han et al., Table 2)',
  of(study) {
    const own = replicates(study);
    if ('missing' in own) return own;
    const shares = own.pruned.map(layerShares);
    const mean = (at: number, what: 'active' | 'remaining' | 'flop') =>
      shares.reduce((sum, one) => sum + one[at]![what], 0) / shares.length;
    const { sizes, weights } = own.pruned[0]!;
    const rows = HAN.layers.map(({ layer, ...numbers }, at): Table2Row => {
      const han = isMnist(study) ? numbers : undefined;
      return {
        ...{ layer, weights: layer === 'total' ? weights : sizes[at]! * sizes[at + 1]! },
        ...{ active_percent: mean(at, 'active'), han_active_percent: han?.activePercent },
        ...{ remaining_percent: mean(at, 'remaining'), han_remaining_percent: han?.remainingPercent },
        ...{ flop_percent: mean(at, 'flop'), han_flop_percent: han?.flopPercent },
        n: shares.length,
      };
    });
    return {
      rows,
      note: `Mean of ${shares.length} seeds. ${RECIPE} FLOPs: weights x active units of the layer before.`,
    };
  },
  draw({ rows, note }, canvas) {
    const number = (value: number) => value.toFixed(1);
    const theirs = (value: number | undefined) => (value === undefined ? undefined : String(value));
    return drawTable(canvas, {
      ...{ title: this.title, rows, note },
      columns: [
        { label: 'layer', isText: true, of: ({ layer }) => layer },
        { label: 'weights', of: ({ weights }) => short(weights) },
        { group: 'active (%)', label: 'ours', of: (row) => number(row.active_percent) },
        { group: 'active (%)', label: 'theirs', of: (row) => theirs(row.han_active_percent) },
        { group: 'left (%)', label: 'ours', of: (row) => number(row.remaining_percent) },
        { group: 'left (%)', label: 'theirs', of: (row) => theirs(row.han_remaining_percent) },
        { group: 'FLOPs (%)', label: 'ours', of: (row) => number(row.flop_percent) },
        { group: 'FLOPs (%)', label: 'theirs', of: (row) => theirs(row.han_flop_percent) },
      ],
    });
  },
});
