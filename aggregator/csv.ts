/** Tables as comma-separated values (RFC 4180, lines end in a line feed); numbers in JavaScript's shortest exact form. */
import type { Cell } from '../sweep/cells';
import type { GridPoint } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import { type Column, columnsOf, type RecordedPoint, recorded } from './columns';

type Field = string | number | readonly number[] | undefined;

function csvField(value: Field): string {
  if (value === undefined) return '';
  const text = typeof value === 'object' ? value.join(';') : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const csvRow = (row: readonly Field[]): string => `${row.map(csvField).join(',')}\n`;
const csv = (header: readonly string[], rows: readonly (readonly Field[])[]): string =>
  [header, ...rows].map(csvRow).join('');

export const trialsCsvHeader = (columns: readonly Column[]): string => csvRow(columns.map(({ name }) => name));

export const trialsCsvRows = (columns: readonly Column[], rows: readonly RecordedPoint[]): string =>
  rows.map(({ point, record }) => csvRow(columns.map((column) => column.of(point, record)))).join('');

/** One row a recorded trial. */
export function trialsCsv(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): string {
  const columns = columnsOf(points.map(({ recipe }) => recipe));
  return trialsCsvHeader(columns) + trialsCsvRows(columns, recorded(points, records));
}

/** What differs from run to run. Versions as `name version`, joined by `;`. */
export function costsCsv(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): string {
  const header = ['trial_id', 'training_seconds', 'evaluation_seconds', 'worker', 'host', 'versions'];
  const rows = recorded(points, records).map(({ record: { id, cost } }) => {
    const versions = Object.entries(cost.versions).map((pair) => pair.join(' '));
    return [id, cost.trainingSeconds, cost.evaluationSeconds, cost.worker, cost.host, versions.join(';')];
  });
  return csv(header, rows);
}

/** One row a cell. */
export function tableCsv(cells: readonly Cell[]): string {
  const header = ['network', 'recipe', 'prune_ratio', 'remaining_weights', 'n', 'N', 'mean', 'sd', 'low', 'high'];
  const rows = cells.map((cell) => [
    ...[cell.network, cell.recipe, cell.pruneRatio, cell.remainingWeights],
    ...[cell.n, cell.N, cell.mean, cell.sd, cell.low, cell.high],
  ]);
  return csv(header, rows);
}
