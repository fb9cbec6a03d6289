/**
 * The ledger on one machine: a file of records, one JSON object a line, each with a checksum of the text before it.
 * A record is there once its line, newline included, is on the disk; a line without its newline was cut off by a kill
 * before it was acknowledged, and is dropped.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DataError } from '../sweep/errors';
import { OtherVersion } from '../sweep/readrecord';
import type { TrialRecord } from '../sweep/record';
import type { Ledger, LedgerMessage, LedgerPosition } from './bus';
import { syncFolder, withDiskErrors } from './files';
import { assertSame, parseRecord } from './records';

export const LEDGER_FILE = 'ledger.ndjson';

const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);

export function ledgerLine(record: TrialRecord): string {
  const text = JSON.stringify(record);
  return `${text.slice(0, -1)},"checksum":"${digest(text)}"}\n`;
}

/** @throws DataError that names the line, when it is not a record as it was written */
export function parseLine(line: string, where: string): TrialRecord {
  const damaged = (what: string) =>
    new DataError(
      `${where}: ${what}. The line was changed or damaged after it was written; delete that line, and the next run makes its trial again`,
    );
  const match = /^(.*),"checksum":"([0-9a-f]{16})"\}$/s.exec(line);
  if (match === null) throw damaged('not a record with its checksum');
  const text = `${match[1]}}`;
  if (digest(text) !== match[2]) throw damaged('its checksum does not match its content');
  try {
    return parseRecord(text);
  } catch (error) {
    const { message } = error as Error;
    throw error instanceof OtherVersion ? new DataError(`${where}: ${message}`) : damaged(message);
  }
}

function parse(text: string, path: string): { records: Map<string, TrialRecord>; complete: number } {
  const records = new Map<string, TrialRecord>();
  const complete = text.lastIndexOf('\n') + 1;
  for (const [index, line] of text.slice(0, complete).split('\n').entries()) {
    if (line === '') continue;
    const record = parseLine(line, `${path}, line ${index + 1}`);
    const known = records.get(record.id);
    if (known !== undefined) assertSame(known, record);
    records.set(record.id, record);
  }
  return { records, complete };
}

/** The records of a folder, without taking hold of it; a line that is being written is left out. */
export function readLedger(path: string): Map<string, TrialRecord> {
  return parse(
    withDiskErrors(path, () => readFileSync(path, 'utf8')),
    path,
  ).records;
}

export class FileLedger implements Ledger {
  readonly records: Map<string, TrialRecord>;
  private readonly inOrder: TrialRecord[];
  private readonly file: number;
  private length: number;
  /** Readers that have seen all there is. */
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly path: string) {
    this.file = withDiskErrors(path, () => openSync(path, 'a+'));
    const bytes = withDiskErrors(path, () => readFileSync(path));
    const { records } = parse(bytes.toString('utf8'), path);
    this.records = records;
    this.inOrder = [...records.values()];
    this.length = bytes.lastIndexOf(10) + 1;
    withDiskErrors(path, () => {
      if (this.length < bytes.length) ftruncateSync(this.file, this.length);
      fsyncSync(this.file);
      syncFolder(dirname(path));
    });
  }

  /** Returns when the record is on the disk. A record that is there already is compared and not written again. */
  append(record: TrialRecord): void {
    const known = this.records.get(record.id);
    if (known !== undefined) {
      assertSame(known, record);
      return;
    }
    const line = Buffer.from(ledgerLine(record));
    try {
      withDiskErrors(this.path, () => {
        for (let written = 0; written < line.length; ) written += writeSync(this.file, line, written);
        fsyncSync(this.file);
      });
    } catch (error) {
      // What was written of the line must not be taken for the beginning of the next.
      ftruncateSync(this.file, this.length);
      throw error;
    }
    this.length += line.length;
    this.records.set(record.id, record);
    this.inOrder.push(record);
    for (const wake of this.waiting.splice(0)) wake();
  }

  async publish(record: TrialRecord): Promise<void> {
    this.append(record);
  }

  async recorded(trials: readonly string[]): Promise<Map<string, TrialRecord>> {
    const there = trials.filter((trial) => this.records.has(trial));
    return new Map(there.map((trial) => [trial, this.records.get(trial)!]));
  }

  async *follow(after: number, signal?: AbortSignal): AsyncGenerator<LedgerMessage> {
    for (let at = after; ; at++) {
      while (at >= this.inOrder.length && signal?.aborted !== true)
        await new Promise<void>((wake) => {
          this.waiting.push(wake);
          signal?.addEventListener('abort', () => wake());
        });
      if (signal?.aborted === true) return;
      const record = this.inOrder[at]!;
      yield { sequence: at + 1, stamp: record.id, entry: { kind: 'record', record } };
    }
  }

  async position(sequence: number): Promise<LedgerPosition> {
    const at = this.inOrder[sequence - 1];
    return { ledger: this.path, last: this.inOrder.length, ...(at === undefined ? {} : { stamp: at.id }) };
  }

  close(): void {
    closeSync(this.file);
  }
}
