/** The files that a folder's records add up to. */
import { join } from 'node:path';
import { writeFileDurably } from '../bus/files';
import { cells } from '../sweep/cells';
import type { GridPoint } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import { costsCsv, tableCsv, trialsCsv } from './csv';
import { trialsParquet } from './parquet';
import { type Axes, tableMarkdown } from './table';

export interface Output {
  name: string;
  bytes: Uint8Array;
}

export function outputs(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>, axes: Axes): Output[] {
  const table = cells(points, records);
  return [
    { name: 'trials.csv', bytes: Buffer.from(trialsCsv(points, records)) },
    { name: 'trials.parquet', bytes: trialsParquet(points, records) },
    { name: 'costs.csv', bytes: Buffer.from(costsCsv(points, records)) },
    { name: 'table.csv', bytes: Buffer.from(tableCsv(table)) },
    { name: 'table.md', bytes: Buffer.from(tableMarkdown(table, axes)) },
  ];
}

/** @returns the names of the files written */
export function writeOutputs(folder: string, files: readonly Output[]): string[] {
  for (const { name, bytes } of files) writeFileDurably(join(folder, name), bytes);
  return files.map(({ name }) => name);
}
