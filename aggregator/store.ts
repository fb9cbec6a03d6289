/**
 * The store: what tables are made from, in a DuckDB file that any DuckDB can open. Everything in it can be made again from
 * the ledger, and is, when the file is damaged or not this ledger's. What is in a record beside stays in the ledger alone:
 * with the histograms of 100,000 records in it the file took 20 s to make and 1.1 GB of memory.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import type { LedgerEntry, LedgerMessage, LedgerPosition, PublishedSweep } from '../bus/bus';
import { withDiskErrors } from '../bus/files';
import type { CellPlace } from '../sweep/cells';
import { decodeDefinition, encodeDefinition } from '../sweep/definition';
import { DiskError, UsageError } from '../sweep/errors';
import { eachGridPoint } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';

export const STORE_FILE = 'sweeps.duckdb';
/** Changed with the tables: a store of another version is made again. */
const STORE_VERSION = '5';
/** Points that are made before others get a turn. */
const POINTS_AT_ONCE = 2000;

const TABLES = `
CREATE TABLE meta (key VARCHAR, value VARCHAR);
CREATE TABLE sweeps (name VARCHAR, definition VARCHAR, said_by VARCHAR, since DOUBLE);
CREATE TABLE points (sweep VARCHAR, point INTEGER, trial_id VARCHAR, network VARCHAR, recipe VARCHAR, seed DOUBLE,
  prune_ratio DOUBLE, remaining_weights INTEGER);
CREATE TABLE records (sequence BIGINT, trial_id VARCHAR, test_correct INTEGER, test_images INTEGER,
  test_accuracy DOUBLE, test_loss DOUBLE, validation_accuracy DOUBLE, flop_fraction DOUBLE, engine VARCHAR,
  training_seconds DOUBLE, evaluation_seconds DOUBLE, host VARCHAR);
CREATE TABLE failures (sequence BIGINT, trial_id VARCHAR, reason VARCHAR);
CREATE TABLE conflicts (sequence BIGINT, trial_id VARCHAR, offered VARCHAR);
CREATE TABLE quarantine (sequence BIGINT, subject VARCHAR, reason VARCHAR, bytes BIGINT, head VARCHAR);
CREATE VIEW facts AS
  SELECT sequence, trial_id, 'record' AS kind, test_accuracy, NULL AS reason FROM records
  UNION ALL SELECT sequence, trial_id, 'failure', NULL, reason FROM failures
  UNION ALL SELECT sequence, trial_id, 'conflict', NULL, NULL FROM conflicts;
CREATE VIEW trials AS
  SELECT p.*, r.* EXCLUDE (trial_id), f.reason AS failure
  FROM points p LEFT JOIN records r USING (trial_id) LEFT JOIN failures f USING (trial_id);
CREATE VIEW cells AS
  SELECT sweep, network, recipe, any_value(prune_ratio) AS prune_ratio, remaining_weights,
    count(test_accuracy) AS n, count(*) AS n_of, avg(test_accuracy) AS mean, stddev_samp(test_accuracy) AS sd
  FROM trials GROUP BY ALL ORDER BY sweep, min(point);
`;

/** Why the file cannot be gone on with. */
export class StoreDamaged extends Error {}

/** It was asked while it was made again, which says nothing of its file. */
class StoreClosed extends Error {
  readonly statusCode = 503;

  constructor() {
    super('the store is being made again; ask again');
  }
}

/** What the store takes of a record. */
type StoredRecord = Pick<TrialRecord, 'id' | 'engine' | 'test' | 'validation' | 'flopFraction' | 'cost'>;

/** A message without what the store does not take, which is most of it and would wait in memory. */
export type StoredMessage = Omit<LedgerMessage, 'entry'> & {
  entry: Exclude<LedgerEntry, { kind: 'record' }> | { kind: 'record'; record: StoredRecord };
};

export function toStore({ sequence, stamp, entry }: LedgerMessage): StoredMessage {
  if (entry.kind !== 'record') return { sequence, stamp, entry };
  const { id, engine, test, validation, flopFraction, cost } = entry.record;
  const record = { id, engine, test, flopFraction, cost, ...(validation === undefined ? {} : { validation }) };
  return { sequence, stamp, entry: { kind: 'record', record } };
}

/** A sweep as it stands. */
export interface BoardContent {
  places: CellPlace[];
  /** By place of the grid: ids, and accuracies where there is a record. */
  trials: readonly string[];
  accuracies: readonly (number | null)[];
  /** What else is known. */
  facts: Fact[];
}

/** What a person may ask of the trials of a sweep. */
export interface TrialFilter {
  network?: string;
  recipe?: string;
  seed?: number;
  remainingWeights?: number;
  state?: 'recorded' | 'failed' | 'missing';
}

export interface TrialRow {
  point: number;
  id: string;
  network: string;
  recipe: string;
  seed: number;
  pruneRatio: number | null;
  remainingWeights: number;
  sequence: number | null;
  accuracy: number | null;
  failure: string | null;
}

/** What became known of a trial. */
export interface Fact {
  kind: 'record' | 'failure' | 'conflict';
  trial: string;
  /** Of a record. */
  accuracy?: number;
}

/** The same with its place in the ledger and what the grid calls the trial. */
export interface ToldFact extends TrialRow {
  kind: Fact['kind'];
  sequence: number;
}

export interface Quarantined {
  sequence: number;
  subject: string;
  reason: string;
  bytes: number;
  head: string;
}

export class Store {
  private writing: Promise<void> = Promise.resolve();
  private isClosed = false;

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly writer: DuckDBConnection,
    private readonly reader: DuckDBConnection,
    private readonly folder: string,
    /** Another for each store that is made: places in one say nothing of places in the other. */
    readonly id: string,
    /** The ledger that it is a fold of, and how far. */
    private place: Required<LedgerPosition>,
  ) {}

  /**
   * Opens the store, or makes it where there is none that can be gone on with.
   * @param say told why it is made again
   * @throws UsageError when another process has it, DiskError when it cannot be written
   */
  static async open(folder: string, say: (line: string) => void): Promise<Store> {
    withDiskErrors(folder, () => mkdirSync(folder, { recursive: true }));
    const path = join(folder, STORE_FILE);
    if (existsSync(path))
      try {
        return await Store.load(folder);
      } catch (error) {
        if (!(error instanceof StoreDamaged)) throw error;
        say(`${path}: ${error.message}; it is made again from the ledger`);
        setAside(path);
      }
    return Store.make(folder);
  }

  private static async make(folder: string): Promise<Store> {
    const [instance, writer, reader] = await connect(join(folder, STORE_FILE));
    const id = randomBytes(4).toString('hex');
    await writer.run(TABLES);
    const place = { ledger: '', last: 0, stamp: '' };
    const store = new Store(instance, writer, reader, folder, id, place);
    await writer.run('INSERT INTO meta VALUES ($1, $2), ($3, $4)', ['version', STORE_VERSION, 'id', id]);
    await store.writePlace();
    return store;
  }

  private static async load(folder: string): Promise<Store> {
    const [instance, writer, reader] = await connect(join(folder, STORE_FILE));
    try {
      const rows = await read<{ key: string; value: string }>(reader, 'SELECT * FROM meta');
      const meta = new Map(rows.map(({ key, value }) => [key, value]));
      if (meta.get('version') !== STORE_VERSION)
        throw new StoreDamaged(
          `a store of version ${meta.get('version')}, this program keeps version ${STORE_VERSION}`,
        );
      // Every block is read, so that a damaged one is known before it is asked for.
      await read(reader, 'SELECT bit_xor(hash(records)) FROM records');
      const place = { ledger: meta.get('ledger')!, last: Number(meta.get('last')), stamp: meta.get('stamp')! };
      return new Store(instance, writer, reader, folder, meta.get('id')!, place);
    } catch (error) {
      reader.closeSync();
      writer.closeSync();
      instance.closeSync();
      throw error instanceof StoreDamaged ? error : new StoreDamaged((error as Error).message);
    }
  }

  get position(): Required<LedgerPosition> {
    return this.place;
  }

  /** Says which ledger an empty store is the fold of. */
  async begin(ledger: string): Promise<void> {
    this.place = { ledger, last: 0, stamp: '' };
    await this.transaction(() => this.writePlace());
  }

  private async writePlace(): Promise<void> {
    const { ledger, last, stamp } = this.place;
    await this.writer.run("DELETE FROM meta WHERE key IN ('ledger', 'last', 'stamp')");
    await this.writer.run('INSERT INTO meta VALUES ($1, $2), ($3, $4), ($5, $6)', [
      ...['ledger', ledger, 'last', String(last), 'stamp', stamp],
    ]);
  }

  /** Takes the messages in, all or none. They come after all that were taken before. */
  async append(messages: readonly StoredMessage[]): Promise<void> {
    const { sequence: last, stamp } = messages.at(-1)!;
    const before = this.place;
    await this.transaction(async () => {
      await this.appendRows('records', messages, (row, { sequence, entry }) => {
        if (entry.kind !== 'record') return;
        const { id, engine, test, validation, flopFraction, cost } = entry.record;
        row.appendBigInt(BigInt(sequence));
        row.appendVarchar(id);
        row.appendInteger(test.correct);
        row.appendInteger(test.images);
        row.appendDouble(test.correct / test.images);
        row.appendDouble(test.loss);
        if (validation === undefined) row.appendNull();
        else row.appendDouble(validation.correct / validation.images);
        row.appendDouble(flopFraction);
        row.appendVarchar(engine);
        row.appendDouble(cost.trainingSeconds);
        row.appendDouble(cost.evaluationSeconds);
        row.appendVarchar(cost.host);
        row.endRow();
      });
      // Row by row with INSERT, 100,000 messages that are no records took 100 s.
      await this.appendRows('failures', messages, (row, { sequence, entry }) => {
        if (entry.kind !== 'failure') return;
        row.appendBigInt(BigInt(sequence));
        row.appendVarchar(entry.failure.trial);
        row.appendVarchar(entry.failure.reason);
        row.endRow();
      });
      await this.appendRows('conflicts', messages, (row, { sequence, entry }) => {
        if (entry.kind !== 'conflict') return;
        row.appendBigInt(BigInt(sequence));
        row.appendVarchar(entry.trial);
        row.appendVarchar(entry.text);
        row.endRow();
      });
      await this.appendRows('quarantine', messages, (row, { sequence, entry }) => {
        if (entry.kind !== 'poison') return;
        row.appendBigInt(BigInt(sequence));
        row.appendVarchar(entry.subject);
        row.appendVarchar(entry.reason);
        row.appendBigInt(BigInt(entry.bytes));
        row.appendVarchar(entry.head);
        row.endRow();
      });
      this.place = { ...before, last, stamp };
      await this.writePlace();
    }).catch((error) => {
      this.place = before;
      throw error;
    });
  }

  /** Replaces the sweep of the name, if there is one, and says what is known of its trials. */
  async putSweep(sweep: PublishedSweep): Promise<void> {
    const { definition, by, since } = sweep;
    const { metadata, spec } = definition.sweep;
    const { name } = metadata;
    await this.transaction(async () => {
      await this.deleteSweep(name);
      await this.insert('sweeps', [name, encodeDefinition(definition), by, since]);
      let point = 0;
      let chunk = [];
      const points = eachGridPoint(spec, definition.shape);
      for (let next = points.next(); chunk.length > 0 || !next.done; next = points.next()) {
        if (!next.done) chunk.push(next.value);
        if (chunk.length < POINTS_AT_ONCE && !next.done) continue;
        await this.appendRows('points', chunk, (row, { trial, network, recipeName, seed }) => {
          row.appendVarchar(name);
          row.appendInteger(point++);
          row.appendVarchar(trial.id);
          row.appendVarchar(network);
          row.appendVarchar(recipeName);
          row.appendDouble(seed);
          if (trial.pruneRatio === undefined) row.appendNull();
          else row.appendDouble(trial.pruneRatio);
          row.appendInteger(trial.content.remainingWeights);
          row.endRow();
        });
        chunk = [];
        await new Promise((done) => setImmediate(done));
      }
    });
  }

  async dropSweep(name: string): Promise<void> {
    await this.transaction(() => this.deleteSweep(name));
  }

  private async deleteSweep(name: string): Promise<void> {
    await this.writer.run('DELETE FROM sweeps WHERE name = $1', [name]);
    await this.writer.run('DELETE FROM points WHERE sweep = $1', [name]);
  }

  /** One after the other: the writer has one connection. */
  private transaction(action: () => Promise<void>): Promise<void> {
    const mine = this.writing.then(async () => {
      try {
        await this.writer.run('BEGIN');
        await action();
        await this.writer.run('COMMIT');
      } catch (error) {
        await this.writer.run('ROLLBACK').catch(() => {});
        throw asKnown(error, join(this.folder, STORE_FILE));
      }
    });
    this.writing = mine.catch(() => {});
    return mine;
  }

  private async appendRows<T>(
    table: string,
    items: readonly T[],
    append: (row: Awaited<ReturnType<DuckDBConnection['createAppender']>>, item: T) => void,
  ): Promise<void> {
    const appender = await this.writer.createAppender(table);
    try {
      for (const item of items) append(appender, item);
    } finally {
      appender.closeSync();
    }
  }

  private async insert(table: string, values: DuckDBValue[]): Promise<void> {
    await this.writer.run(`INSERT INTO ${table} VALUES (${values.map((_, at) => `$${at + 1}`).join(', ')})`, values);
  }

  /** What became known of a sweep's trials after a place of the ledger, in its order. */
  factsAfter(sweep: string, after: number, most: number): Promise<ToldFact[]> {
    return this.read(
      `SELECT ${ROW}, kind, f.sequence::DOUBLE AS sequence, test_accuracy AS accuracy, reason AS failure
       FROM facts f JOIN points p USING (trial_id) WHERE sweep = $1 AND f.sequence > $2
       ORDER BY f.sequence, point LIMIT $3`,
      [sweep, after, most],
    );
  }

  async sweeps(): Promise<PublishedSweep[]> {
    const rows = await this.read<Omit<PublishedSweep, 'definition'> & { definition: string }>(
      'SELECT definition, said_by AS "by", since FROM sweeps ORDER BY name',
    );
    try {
      return rows.map(({ definition, ...rest }) => ({ ...rest, definition: decodeDefinition(definition) }));
    } catch (error) {
      throw new StoreDamaged(`a sweep in it cannot be read: ${(error as Error).message.split('\n')[0]}`);
    }
  }

  /** The cells of a sweep in the order of its grid, whose trials follow each other in it, and all that is known of them. */
  async board(sweep: string): Promise<BoardContent> {
    const cells = await this.read<
      Omit<CellPlace, 'points' | 'pruneRatio'> & { ratio: number | null; first: number; N: number }
    >(
      `SELECT network, recipe, any_value(prune_ratio) AS ratio, remaining_weights AS "remainingWeights",
         min(point) AS first, count(*)::INTEGER AS "N"
       FROM points WHERE sweep = $1 GROUP BY network, recipe, remaining_weights ORDER BY first`,
      [sweep],
    );
    const places = cells.map(({ network, recipe, ratio, remainingWeights, first, N }) => ({
      ...{ network, recipe, remainingWeights, points: Array.from({ length: N }, (_, at) => first + at) },
      ...(ratio === null ? {} : { pruneRatio: ratio }),
    }));
    // As columns: a sweep of 100,000 trials is read in a third of the time that objects take.
    const [trials, accuracies] = (await this.asked(async () => {
      const rows = await this.reader.runAndReadAll(
        'SELECT trial_id, test_accuracy FROM points LEFT JOIN records USING (trial_id) WHERE sweep = $1 ORDER BY point',
        [sweep],
      );
      return rows.getColumnsJS();
    })) as [string[], (number | null)[]];
    const facts = await this.read<Fact>(
      "SELECT kind, trial_id AS trial FROM facts JOIN points USING (trial_id) WHERE sweep = $1 AND kind <> 'record'",
      [sweep],
    );
    return { places, trials, accuracies, facts };
  }

  /** Trials of a sweep after a place of the grid, in its order. */
  trials(sweep: string, filter: TrialFilter, after: number, most: number): Promise<TrialRow[]> {
    const values: DuckDBValue[] = [sweep, after, most];
    const conditions = ['p.sweep = $1', 'p.point > $2'];
    const equal = (column: string, value: DuckDBValue | undefined) => {
      if (value === undefined) return;
      values.push(value);
      conditions.push(`${column} = $${values.length}`);
    };
    equal('p.network', filter.network);
    equal('p.recipe', filter.recipe);
    equal('p.seed', filter.seed);
    equal('p.remaining_weights', filter.remainingWeights);
    if (filter.state === 'recorded') conditions.push('r.sequence IS NOT NULL');
    if (filter.state === 'failed') conditions.push('r.sequence IS NULL AND f.reason IS NOT NULL');
    if (filter.state === 'missing') conditions.push('r.sequence IS NULL AND f.reason IS NULL');
    return this.read(
      `SELECT ${ROW}, r.sequence::DOUBLE AS sequence, r.test_accuracy AS accuracy,
         CASE WHEN r.sequence IS NULL THEN f.reason END AS failure
       FROM points p LEFT JOIN records r USING (trial_id) LEFT JOIN failures f USING (trial_id)
       WHERE ${conditions.join(' AND ')} ORDER BY point LIMIT $3`,
      values,
    );
  }

  /** Whether a trial has a record, and otherwise why it has none; and the other result, as JSON, if one was offered. */
  async trial(id: string): Promise<{ isRecorded: boolean; failure?: string; conflict?: string }> {
    const [found] = await this.read<{ n: number; failure: string | null; conflict: string | null }>(
      `SELECT (SELECT count(*) FROM records WHERE trial_id = $1)::INTEGER AS n,
         (SELECT any_value(reason) FROM failures WHERE trial_id = $1) AS failure,
         (SELECT any_value(offered) FROM conflicts WHERE trial_id = $1) AS conflict`,
      [id],
    );
    const { n, failure, conflict } = found!;
    return {
      isRecorded: n > 0,
      ...(failure === null ? {} : { failure }),
      ...(conflict === null ? {} : { conflict }),
    };
  }

  quarantine(after: number, most: number): Promise<Quarantined[]> {
    return this.read(
      `SELECT sequence::DOUBLE AS sequence, subject, reason, bytes::DOUBLE AS bytes, head
       FROM quarantine WHERE sequence > $1 ORDER BY sequence LIMIT $2`,
      [after, most],
    );
  }

  async counts(): Promise<{ records: number; quarantined: number; conflicts: number }> {
    const [counts] = await this.read<{ records: number; quarantined: number; conflicts: number }>(
      `SELECT (SELECT count(*) FROM records)::DOUBLE AS records, (SELECT count(*) FROM quarantine)::DOUBLE AS quarantined,
         (SELECT count(*) FROM conflicts)::DOUBLE AS conflicts`,
    );
    return counts!;
  }

  /** A copy of the store as it is now, to a path where there is no file. */
  copyTo(path: string): Promise<void> {
    const name = `copy_${randomBytes(8).toString('hex')}`;
    return this.asked(async () => {
      const connection = await this.instance.connect();
      try {
        await connection.run(`ATTACH '${path.replaceAll("'", "''")}' AS ${name}`);
        const [store] = await read<{ name: string }>(connection, 'SELECT current_database() AS name');
        await connection.run(`COPY FROM DATABASE "${store!.name}" TO ${name}`);
        await connection.run(`DETACH ${name}`);
      } catch (error) {
        await connection.run(`DETACH DATABASE IF EXISTS ${name}`).catch(() => {});
        throw error;
      } finally {
        connection.closeSync();
      }
    }, path);
  }

  private read<T>(sql: string, values: DuckDBValue[] = []): Promise<T[]> {
    return this.asked(() => read<T>(this.reader, sql, values));
  }

  /** @param path of the file that errors are about */
  private async asked<T>(question: () => Promise<T>, path = join(this.folder, STORE_FILE)): Promise<T> {
    try {
      return await question();
    } catch (error) {
      if (this.isClosed) throw new StoreClosed();
      throw asKnown(error, path);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.reader.closeSync();
    this.writer.closeSync();
    this.instance.closeSync();
  }

  /** Closes the store and puts its file aside, for who wants to know what was in it. */
  putAside(): void {
    this.close();
    setAside(join(this.folder, STORE_FILE));
  }
}

const ROW = `p.point, p.trial_id AS id, p.network, p.recipe, p.seed, p.prune_ratio AS "pruneRatio",
  p.remaining_weights AS "remainingWeights"`;

async function read<T>(connection: DuckDBConnection, sql: string, values: DuckDBValue[] = []): Promise<T[]> {
  return (await connection.runAndReadAll(sql, values)).getRowObjectsJS() as T[];
}

async function connect(path: string): Promise<[DuckDBInstance, DuckDBConnection, DuckDBConnection]> {
  try {
    // The log is written out less often than by default (16 MB), and not by several threads, which would take the core that
    // reads the ledger: each is worth a quarter of the time that a fold takes.
    const instance = await DuckDBInstance.create(path, {
      memory_limit: '128MB',
      threads: '1',
      checkpoint_threshold: '64MB',
    });
    return [instance, await instance.connect(), await instance.connect()];
  } catch (error) {
    throw asKnown(error, path);
  }
}

/** What DuckDB says, as what can be done about it. */
function asKnown(error: unknown, path: string): unknown {
  const { message } = error as Error;
  if (error instanceof DiskError || error instanceof UsageError || error instanceof StoreDamaged) return error;
  // What was asked is wrong, not the store.
  if (error instanceof RangeError || error instanceof TypeError) return error;
  if (/^(Conversion|Out of Range|Invalid Input|Parser|Binder) Error/.test(message)) return error;
  if (message.includes('Could not set lock'))
    return new UsageError(`${path}: another process has the store; end it, or choose another --store`);
  if (/No space left|Permission denied|Read-only file system|Disk quota|File too large/.test(message))
    return new DiskError(`${path}: ${message}; the ledger has every record, mend the disk and start again`);
  return new StoreDamaged(message.split('\n')[0]!);
}

function setAside(path: string): void {
  for (const ending of ['', '.wal']) {
    rmSync(`${path}.old${ending}`, { force: true });
    if (existsSync(`${path}${ending}`)) renameSync(`${path}${ending}`, `${path}.old${ending}`);
  }
}
