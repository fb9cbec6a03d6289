/** The comparison table for people: networks and recipes against remaining weights. */
import type { Cell } from '../sweep/cells';
import { layerSizes, networkName, remainingFor, weightCount } from '../sweep/networks';
import type { DatasetShape, SweepSpec } from '../sweep/spec';
import { thousands } from '../sweep/wording';

/** A column: what is asked for, and the count that this is for a network. */
interface Column {
  title: string;
  countOf(weights: number): number;
}

interface Row {
  network: string;
  recipe: string;
  cells: (Cell | undefined)[];
}

interface Layout {
  columns: Column[];
  rows: Row[];
}

/** What the table is laid out by: the targets of the sweep, and how many weights its networks have. */
export interface Axes {
  pruneRatios: readonly number[];
  remainingWeights: readonly number[];
  weights: ReadonlyMap<string, number>;
}

export function axesOf(spec: SweepSpec, shape: DatasetShape): Axes {
  const { pruneRatios, remainingWeights, hiddenWidths } = spec;
  const weights = hiddenWidths.map((widths) => [networkName(widths), weightCount(layerSizes(widths, shape))] as const);
  return { pruneRatios, remainingWeights, weights: new Map(weights) };
}

/** 1 - 0.995 is 0.005000000000000004: twelve digits are what a person meant. */
const leftPercent = (ratio: number) => `${Number((100 * (1 - ratio)).toPrecision(12))} %`;

function layOut(cells: readonly Cell[], { pruneRatios, remainingWeights, weights }: Axes): Layout {
  const columns = [
    ...[...pruneRatios]
      .sort((a, b) => a - b)
      .map((ratio) => ({ title: leftPercent(ratio), countOf: (total: number) => remainingFor(ratio, total) })),
    ...[...remainingWeights].sort((a, b) => b - a).map((count) => ({ title: thousands(count), countOf: () => count })),
  ];
  const rows = new Map<string, Map<number, Cell>>();
  for (const cell of cells) {
    const key = JSON.stringify([cell.network, cell.recipe]);
    const row = rows.get(key) ?? new Map<number, Cell>();
    row.set(cell.remainingWeights, cell);
    rows.set(key, row);
  }
  return {
    columns,
    rows: [...rows].map(([key, row]) => {
      const [network, recipe] = JSON.parse(key) as [string, string];
      const total = weights.get(network) ?? 0;
      return { network, recipe, cells: columns.map(({ countOf }) => row.get(countOf(total))) };
    }),
  };
}

const percent = (fraction: number) => (100 * fraction).toFixed(2);

/** `98.12 ± 0.10` in percent, the half-width of the interval behind the mean when there are replicates. */
function cellText(cell: Cell | undefined, { none, plusMinus }: { none: string; plusMinus: string }): string {
  if (cell?.mean === undefined) return cell === undefined || cell.n === cell.N ? none : `${none} (0 of ${cell.N})`;
  const interval = cell.high === undefined ? '' : `${plusMinus}${percent(cell.high - cell.mean)}`;
  return `${percent(cell.mean)}${interval}${cell.n < cell.N ? ` (${cell.n} of ${cell.N})` : ''}`;
}

const LEGEND = 'Test accuracy in percent';

function legend(cells: readonly Cell[]): string {
  const replicates = Math.max(0, ...cells.map((cell) => cell.N));
  const interval =
    replicates > 1 ? `, mean of ${replicates} seeds ± half of the 95 % interval (Student t)` : ', one seed';
  return `${LEGEND}${interval}; columns: what is left of the weights`;
}

/** Aligned, so that it reads in a terminal as it does when rendered. */
export function tableMarkdown(cells: readonly Cell[], axes: Axes): string {
  const { columns, rows } = layOut(cells, axes);
  const header = ['network', 'weights', 'recipe', ...columns.map(({ title }) => title)];
  const body = rows.map(({ network, recipe, cells: row }) => [
    ...[network, thousands(axes.weights.get(network) ?? 0), recipe],
    ...row.map((cell) => cellText(cell, { none: '–', plusMinus: ' ± ' })),
  ]);
  const widths = header.map((title, at) => Math.max(3, title.length, ...body.map((row) => row[at]!.length)));
  const isText = (at: number) => at === 0 || at === 2;
  const line = (fields: readonly string[]) =>
    `| ${fields.map((field, at) => (isText(at) ? field.padEnd(widths[at]!) : field.padStart(widths[at]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, at) => (isText(at) ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return `${legend(cells)}.\n\n${[line(header), rule, ...body.map(line)].join('\n')}\n`;
}

const escapeLatex = (text: string) => text.replace(/[&%$#_{}]/g, '\\$&');

/** A booktabs tabular. */
export function tableLatex(cells: readonly Cell[], axes: Axes): string {
  const { columns, rows } = layOut(cells, axes);
  const line = (fields: readonly string[]) => `${fields.join(' & ')} \\\\`;
  return [
    `% ${legend(cells)}.`,
    `\\begin{tabular}{lrl${'r'.repeat(columns.length)}}`,
    '\\toprule',
    line(['network', 'weights', 'recipe', ...columns.map(({ title }) => escapeLatex(title).replace(' ', '\\,'))]),
    '\\midrule',
    ...rows.map(({ network, recipe, cells: row }) =>
      line([
        ...[network, thousands(axes.weights.get(network) ?? 0), escapeLatex(recipe)],
        ...row.map((cell) => cellText(cell, { none: '--', plusMinus: ' $\\pm$ ' })),
      ]),
    ),
    '\\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n');
}

export const tableJson = (cells: readonly Cell[]): string => `${JSON.stringify(cells, undefined, 2)}\n`;
