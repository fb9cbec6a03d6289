/** Accuracy against remaining weights: all networks and recipes, with bands of 95 % intervals, and what was published. */
import * as Plot from '@observablehq/plot';
import type { Cell } from '../../sweep/cells';
import { PUBLISHED, type PublishedPoint, publishedCount } from '../published';
import {
  bestOnValidation,
  byNetwork,
  groupBy,
  groupsOf,
  isMnist,
  mainRows,
  type Row,
  recipeOf,
  type Study,
} from '../study';
import { type Canvas, type Drawn, figure, type Missing } from './figure';
import {
  axis,
  bandedLines,
  base,
  coloured,
  compose,
  GREY,
  grid,
  heading,
  inRows,
  legendOf,
  logAxis,
  plot,
  short,
  whole,
} from './style';

export interface TradeoffRow {
  /** `published` for the points of the literature. */
  recipe: string;
  /** The method, of a published point. */
  network: string;
  remaining_weights: number;
  /** Test error, percent: mean over the seeds, and its 95 % interval. */
  error_percent: number;
  low_percent: number | undefined;
  high_percent: number | undefined;
  n: number | undefined;
}

const PUBLISHED_RECIPE = 'published';

/** Cells of a table as rows; also what a page that has no records draws from. */
export function tradeoffOf(
  cells: readonly Cell[],
  literature: readonly PublishedPoint[] = PUBLISHED,
): Drawn<TradeoffRow> {
  const measured = cells.flatMap(({ network, recipe, remainingWeights, mean, low, high, n }): TradeoffRow[] =>
    mean === undefined
      ? []
      : [
          {
            ...{ recipe, network, remaining_weights: remainingWeights, error_percent: 100 * (1 - mean) },
            low_percent: high === undefined ? undefined : Math.max(0, 100 * (1 - high)),
            high_percent: low === undefined ? undefined : Math.min(100, 100 * (1 - low)),
            n,
          },
        ],
  );
  const published = literature.map(
    (point): TradeoffRow => ({
      ...{ recipe: PUBLISHED_RECIPE, network: point.method, remaining_weights: publishedCount(point) },
      ...{ error_percent: point.errorPercent, low_percent: undefined, high_percent: undefined, n: undefined },
    }),
  );
  const beside = published.length === 0 ? '' : ' Grey circles: published, LeNet-300-100.';
  return { rows: [...measured, ...published], note: `${seedsNote(measured)}${beside}` };
}

/** "Mean of 5 seeds; band: 95 % interval of the mean (Student t)." */
export function seedsNote(rows: readonly { n: number | undefined }[], what = 'band'): string {
  const counts = rows.flatMap(({ n }) => (n === undefined ? [] : [n]));
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (counts.length === 0) return '';
  if (most < 2) return 'One seed: there is no interval.';
  return `Mean of ${least === most ? most : `${least} to ${most}`} seeds; ${what}: 95 % interval of the mean (Student t).`;
}

function ofStudy(study: Study): Drawn<TradeoffRow> | Missing {
  // Trials that prune one layer alone are of another figure.
  const rows = mainRows(study).filter(({ recipe }) => (recipe.keepDense ?? []).length < 2);
  if (rows.length === 0) return { missing: 'no trial is recorded yet; run a sweep' };
  const cells = [...groupBy(rows, recipeOf), [CHOSEN, chosenRows(study)] as const].flatMap(([recipe, own]) =>
    groupsOf(own).map(
      ({ network, remainingWeights, n, mean, low, high }): Cell => ({
        ...{ network, recipe, remainingWeights, n, N: n, mean: mean / 100 },
        ...(low === undefined || high === undefined ? {} : { low: low / 100, high: high / 100 }),
      }),
    ),
  );
  return tradeoffOf(cells, isMnist(study) ? PUBLISHED : []);
}

const CHOSEN = 'setting chosen on validation images';

/** At the published counts, what competes with them; nothing where a single setting was tried. */
function chosenRows(study: Study): Row[] {
  if (!isMnist(study)) return [];
  const counts = new Set(PUBLISHED.map(publishedCount));
  return [...counts].flatMap((count) => {
    const best = bestOnValidation(study, count);
    return best === undefined || best.tries < 2 ? [] : best.rows;
  });
}

type LinePlace = Pick<TradeoffRow, 'network' | 'recipe'>;

/** What a line and its band are called in the drawing. */
export const lineName = ({ network, recipe }: LinePlace): string => `${network}, ${recipe}`;

/** What a point is called in the drawing. */
export const pointName = (point: LinePlace & Pick<TradeoffRow, 'remaining_weights'>): string =>
  `${lineName(point)}, ${whole(point.remaining_weights)} weights left`;

export function drawTradeoff({ rows, note }: Drawn<TradeoffRow>, canvas: Canvas): SVGSVGElement {
  const published = rows.filter(({ recipe }) => recipe === PUBLISHED_RECIPE);
  const measured = rows.filter(({ recipe }) => recipe !== PUBLISHED_RECIPE);
  const networks = [...new Set(measured.map(({ network }) => network))].sort((a, b) =>
    byNetwork({ network: a }, { network: b }),
  );
  const recipes = [...groupBy(measured, ({ recipe }) => recipe)];
  const { columns, width, height } = grid(canvas, recipes.length, 3);
  const scales = coloured(networks);
  const counts = rows.map((row) => row.remaining_weights);
  const shown = (recipe: string) => recipe.replaceAll('/', ', ');
  const panels = recipes.map(([recipe, own], at) =>
    plot({
      ...base(canvas, width, height, shown(recipe)),
      x: logAxis('remaining weights', {
        domain: [Math.min(...counts), Math.max(...counts)],
        tickFormat: short,
        ticks: 4,
        nice: true,
      }),
      y: axis(at % columns === 0 ? 'test error (%)' : null, {
        type: 'log',
        domain: [1, 100],
        ticks: [1, 2, 5, 10, 20, 50, 100],
        tickFormat: String,
        clamp: true,
      }),
      ...scales,
      marks: [
        Plot.gridY({ stroke: '#ddd', strokeOpacity: 1, ticks: [1, 2, 5, 10, 20, 50, 100] }),
        Plot.dot(published, { x: 'remaining_weights', y: 'error_percent', r: 2.4, stroke: GREY }),
        ...bandedLines(
          own,
          { x: 'remaining_weights', y: 'error_percent', low: 'low_percent', high: 'high_percent', by: 'network' },
          { line: lineName, point: pointName },
        ),
        heading(shown(recipe), width),
        Plot.frame({ stroke: '#999' }),
      ],
    }),
  );
  return compose(canvas, {
    title: 'Test error against remaining weights',
    legend: [
      ...legendOf(networks),
      ...(published.length === 0 ? [] : [{ label: 'published', color: GREY, kind: 'dot' as const }]),
    ],
    panels: inRows(panels, columns),
    note,
  });
}

export const tradeoff = figure({
  name: 'tradeoff',
  title: 'Test error against remaining weights',
  of: ofStudy,
  draw: drawTradeoff,
});
