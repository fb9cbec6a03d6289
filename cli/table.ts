/** `prunesweep table`: the comparison table of a folder, at any time. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tableCsv } from '../aggregator/csv';
import { axesOf, tableJson, tableLatex, tableMarkdown } from '../aggregator/table';
import { LEDGER_FILE, readLedger } from '../bus/ledger';
import { cells } from '../sweep/cells';
import { gridPoints } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import type { SweepDefinition } from '../sweep/spec';
import { loadFolder } from './sweepfile';

export const TABLE_FORMATS = ['md', 'csv', 'tex', 'json'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

export function renderTable(
  { sweep, shape }: SweepDefinition,
  records: ReadonlyMap<string, TrialRecord>,
  format: TableFormat,
): string {
  const table = cells(gridPoints(sweep.spec, shape), records);
  switch (format) {
    case 'md':
      return tableMarkdown(table, axesOf(sweep.spec, shape));
    case 'csv':
      return tableCsv(table);
    case 'tex':
      return tableLatex(table, axesOf(sweep.spec, shape));
    case 'json':
      return tableJson(table);
  }
}

/** The records of a folder; none when nothing was recorded yet. */
export function folderRecords(folder: string): Map<string, TrialRecord> {
  const path = join(resolve(folder), LEDGER_FILE);
  return existsSync(path) ? readLedger(path) : new Map();
}

export function table(folder: string, format: TableFormat | 'html'): void {
  if (format === 'html') {
    const { savedTable } = require('./savedtable') as typeof import('./savedtable');
    process.stdout.write(savedTable(resolve(folder)));
    return;
  }
  process.stdout.write(renderTable(loadFolder(folder), folderRecords(folder), format));
}
