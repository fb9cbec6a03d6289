/** What a network costs against its remaining weights: seconds, and the speed-up, measured beside theoretical. */
import { median, summarise } from '../../sweep/statistics';
import { denseRows, type Group, groupsOf, isDense, MASKED, mainRows, ofRecipe, type Row, type Study } from '../study';
import { type CurveRow, drawCurves } from './curves';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';

export interface CostRow extends Interval {
  network: string;
  remaining_weights: number;
  /** Of an epoch of training: median over the seeds, low and high their extremes, as whatever else ran only ever adds time. */
  epoch_seconds: number;
  /** Beside an epoch of the dense network. */
  speedup_measured: number;
  /** Multiplications saved: 1 / flop fraction, the dense network's own zeros left aside. */
  speedup_theoretical: number;
  compression: number;
}

/** Seconds an epoch, of each row that has a record. */
const epochSeconds = ({ records }: Study, rows: readonly Row[]): number[] =>
  rows.flatMap((row) => {
    const seconds = records.get(row.id)?.cost.trainingSeconds;
    const epochs = isDense(row) ? row.training.epochs : row.retraining?.epochs;
    return seconds === undefined || epochs === undefined ? [] : [seconds / epochs];
  });

const SECONDS = 'seconds of an epoch';
const LOG = { type: 'log', ticks: 5, tickFormat: String } as const;

export const cost = figure<CostRow, Drawn<CostRow>>({
  name: 'cost',
  title: 'Seconds of an epoch, and speed-up, against weights left',
  of(study) {
    const main = mainRows(study);
    const dense = groupsOf(denseRows(main));
    const rows = [...dense, ...groupsOf(ofRecipe(main, MASKED).filter((row) => !isDense(row)))].flatMap(
      (group: Group): CostRow[] => {
        const { network, remainingWeights } = group;
        const whole = dense.find((other) => other.network === network);
        const [seconds, before] = [epochSeconds(study, group.rows), epochSeconds(study, whole?.rows ?? [])];
        if (seconds.length === 0 || before.length === 0) return [];
        const range = seconds.length < 2 ? {} : { low: Math.min(...seconds), high: Math.max(...seconds) };
        const flops = (one: Group) => summarise(one.rows.map(({ flopFraction }) => flopFraction)).mean;
        return [
          {
            ...{
              network,
              remaining_weights: remainingWeights,
              epoch_seconds: median(seconds),
              ...intervalOf({ n: seconds.length, ...range }),
            },
            speedup_measured: median(before) / median(seconds),
            speedup_theoretical: flops(whole!) / flops(group),
            compression: group.rows[0]!.weights / remainingWeights,
          },
        ];
      },
    );
    if (rows.length === 0) return missing('records of dense and masked trials: a CSV has no seconds');
    return {
      rows,
      note: `Masked, one core a network. Theoretical: multiplications, by active units. Median of the seeds; band: least to most.`,
    };
  },
  draw({ rows, note }, canvas) {
    const panel = (name: string, of: (row: CostRow) => Pick<CurveRow, 'y' | 'low' | 'high'>) =>
      rows.map((row): CurveRow => ({ panel: name, line: row.network, x: row.remaining_weights, n: row.n, ...of(row) }));
    const speedups = rows.flatMap((row) => [row.speedup_measured, row.speedup_theoretical]);
    const [slowest, fastest] = [Math.min(...speedups), Math.max(...speedups)];
    const plain = (y: number) => ({ y, low: undefined, high: undefined });
    return drawCurves(
      [
        ...panel(SECONDS, ({ epoch_seconds, low, high }) => ({
          y: epoch_seconds,
          low,
          high,
        })),
        ...panel('measured speed-up', (row) => plain(row.speedup_measured)),
        ...panel('theoretical speed-up', (row) => plain(row.speedup_theoretical)),
      ],
      canvas,
      {
        ...{ title: this.title, note, x: 'weights left', xIsLog: true },
        y: (panel) => (panel === SECONDS ? 'seconds' : 'times as fast'),
        // Both speed-ups on one scale, to be compared.
        yOptions: (panel) => ({ ...LOG, ...(panel === SECONDS ? {} : { domain: [slowest, fastest] }) }),
      },
    );
  },
});
