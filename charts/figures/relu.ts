/** Accuracy when one hidden ReLU is left out: replaced by the identity in the trained network, or absent from the start. */
import * as Plot from '@observablehq/plot';
import {
  accuracyPercent,
  denseRows,
  type Group,
  groupsOf,
  isDense,
  MASKED,
  mainRows,
  networksOf,
  ofRecipe,
  type Row,
} from '../study';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { axis, base, coloured, compose, grid, heading, inRows, intervals, legendOf, plot, whole } from './style';
import { seedsNote } from './tradeoff';

export interface ReluRow extends Interval {
  network: string;
  /** `dense`, or the count. */
  state: string;
  change: string;
  accuracy_percent: number;
}

const COUNT = 2657;

const row = ({ network, mean, ...summary }: Group, state: string, change: string): ReluRow => ({
  ...{ network, state, change, accuracy_percent: mean, ...intervalOf(summary) },
});

const without = (l: number) => (one: Row) => (100 * one.testCorrectWithoutRelu[l]!) / one.testImages;

/** As trained, and without each ReLU. */
function measured(rows: readonly Row[], state: string): ReluRow[] {
  const hidden = Math.max(0, ...rows.map(({ hiddenWidths }) => hiddenWidths.length));
  return [
    ...groupsOf(rows, accuracyPercent).map((group) => row(group, state, 'as trained')),
    ...[...Array(hidden).keys()].flatMap((l) =>
      groupsOf(
        rows.filter(({ hiddenWidths }) => hiddenWidths.length > l),
        without(l),
      ).map((group) => row(group, state, `ReLU of fc${l + 1} removed`)),
    ),
  ];
}

export const relu = figure<ReluRow, Drawn<ReluRow>>({
  name: 'article-relu',
  title: 'Test accuracy without one of the hidden ReLUs',
  of(study) {
    const main = mainRows(study);
    const dense = denseRows(main);
    if (dense.length === 0) return missing('dense networks (pruneRatios: [0, ...])');
    const pruned = ofRecipe(main, MASKED).filter(({ remainingWeights }) => remainingWeights === COUNT);
    const linear = study.rows.filter((one) => one.training.linear !== undefined && isDense(one));
    const trained = [...new Set(linear.map(({ training }) => training.linear!.join(' and ')))]
      .sort()
      .flatMap((layers) =>
        groupsOf(denseRows(linear.filter(({ training }) => training.linear!.join(' and ') === layers))).map((group) =>
          row(group, 'dense', `trained without that of ${layers}`),
        ),
      );
    const rows = [...measured(dense, 'dense'), ...trained, ...measured(pruned, `${whole(COUNT)} weights left, masked`)];
    return { rows, note: seedsNote(rows, 'bar') };
  },
  draw({ rows, note }, canvas) {
    const states = [...new Set(rows.map(({ state }) => state))];
    const changes = [...new Set(rows.map(({ change }) => change))];
    const names = networksOf(rows as unknown as Row[]);
    const scales = coloured(changes);
    const { columns, width, height } = grid(canvas, states.length, 2, 0.7);
    const apart = Math.min(6, (0.8 * (width - 60)) / names.length / changes.length);
    const panels = states.map((state) =>
      plot({
        ...base(canvas, width, height, state),
        marginBottom: 44,
        x: { type: 'point', domain: names, label: null, tickRotate: -40 },
        y: axis('test accuracy (%)', { domain: [0, 100], clamp: true }),
        ...scales,
        marks: [
          Plot.gridY({ stroke: '#ddd', strokeOpacity: 1 }),
          // Side by side, since many of them are nearly equal.
          ...changes.flatMap((change, at) =>
            intervals(
              rows.filter((one) => one.state === state && one.change === change),
              { x: 'network', y: 'accuracy_percent', low: 'low', high: 'high', by: 'change' },
              (at - (changes.length - 1) / 2) * apart,
            ),
          ),
          heading(state, width),
          Plot.frame({ stroke: '#999' }),
        ],
      }),
    );
    return compose(canvas, {
      title: this.title,
      legend: legendOf(changes, 'dot'),
      panels: inRows(panels, columns),
      note,
    });
  },
});
