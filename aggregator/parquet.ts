/** trials.parquet: the columns of trials.csv with their types, lists as lists, and the histograms. */
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { GridPoint } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import type { RecipeSpec } from '../sweep/spec';
import { type Column, columnsOf, histogramColumns, type RecordedPoint, recorded } from './columns';

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];

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

/** Rows of a group, the unit that a reader reads: what is in memory at once while the file is written. */
export const GROUP_ROWS = 1000;

/** The file, made group by group. */
export class TrialsParquet {
  private readonly columns: readonly Column[];
  private readonly bytes = new ByteWriter();
  private readonly writer: ParquetWriter;

  /** @param layers of the network with the most */
  constructor(recipes: readonly RecipeSpec[], layers: number) {
    this.columns = [...columnsOf(recipes), ...histogramColumns(layers)];
    const schema = [
      { name: 'trials', num_children: this.columns.length },
      ...this.columns.flatMap(schemaOf),
    ] as SchemaElement[];
    this.writer = new ParquetWriter({ writer: this.bytes, schema, createdBy: 'prunesweep' });
  }

  add(rows: readonly RecordedPoint[]): void {
    const columnData = this.columns.map((column) => ({
      name: column.name,
      data: rows.map(({ point, record }) => parquetValue(column.type, column.of(point, record))),
    }));
    void this.writer.write({ columnData, rowGroupSize: GROUP_ROWS });
  }

  finish(): Uint8Array {
    void this.writer.finish();
    return this.bytes.getBytes();
  }
}

export function trialsParquet(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): Uint8Array {
  const rows = recorded(points, records);
  const recipes = points.map(({ recipe }) => recipe);
  const file = new TrialsParquet(recipes, mostLayers(points.map(({ trial }) => trial.content.hiddenWidths)));
  for (let first = 0; first < rows.length; first += GROUP_ROWS) file.add(rows.slice(first, first + GROUP_ROWS));
  return file.finish();
}

export const mostLayers = (hiddenWidths: readonly (readonly number[])[]): number =>
  hiddenWidths.reduce((most, widths) => Math.max(most, widths.length + 1), 0);
