/** trials.parquet: the columns of trials.csv with their types, lists as lists, and the histograms. */
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { GridPoint } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import { type Column, columnsOf, histogramColumns, recorded } from './columns';

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]['schema']>[number];

const ELEMENTS: Record<Column['type'], Partial<SchemaElement>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  integer: { type: 'INT64' },
  number: { type: 'DOUBLE' },
  integers: { type: 'INT64' },
  numbers: { type: 'DOUBLE' },
};

/** A list is a group of a repeated group of elements (Parquet's LIST). */
function schemaOf({ name, type }: Column): SchemaElement[] {
  const element = ELEMENTS[type];
  if (type !== 'integers' && type !== 'numbers')
    return [{ name, repetition_type: 'OPTIONAL', ...element } as SchemaElement];
  return [
    { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'REQUIRED', ...element } as SchemaElement,
  ];
}

/** Parquet's 64-bit integers are BigInts here. */
function parquetValue(type: Column['type'], value: ReturnType<Column['of']>): unknown {
  if (value === undefined) return null;
  if (type === 'integer') return BigInt(value as number);
  return type === 'integers' ? (value as number[]).map(BigInt) : value;
}

export function trialsParquet(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): Uint8Array {
  const rows = recorded(points, records);
  const layers = Math.max(0, ...points.map(({ trial }) => trial.content.hiddenWidths.length + 1));
  const columns = [...columnsOf(points), ...histogramColumns(layers)];
  const buffer = parquetWriteBuffer({
    schema: [{ name: 'trials', num_children: columns.length }, ...columns.flatMap(schemaOf)],
    columnData: columns.map((column) => ({
      name: column.name,
      data: rows.map(({ point, record }) => parquetValue(column.type, column.of(point, record))),
    })),
    createdBy: 'prunesweep',
  });
  return new Uint8Array(buffer);
}
