/** Comma-separated values (RFC 4180, lines end in a line feed), both ways. */
import type { Value } from './figures/figure';

const field = (value: Value | boolean): string => {
  const text = value === undefined ? '' : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Columns are the fields of the rows, in the order in which they are first seen. */
export function toCsv(rows: readonly object[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => columns.map((column) => field((row as Record<string, Value>)[column])));
  return [columns, ...lines].map((line) => `${line.join(',')}\n`).join('');
}
