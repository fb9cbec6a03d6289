/**
 * The folders of local runs as a line that is followed: what `prunesweep run` writes is read, and nothing is touched. A
 * run's records are in its ledger; what it works on is in `live.json`, which a run that was killed leaves behind and which
 * is therefore believed for some seconds only; trials that failed are in `failures.ndjson`, which the next run begins anew.
 */
import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrialRecord } from '../sweep/record';
import type { Failure, HeardNews, Ledger, LedgerEntry, LedgerMessage, LedgerPosition, PackNews, Progress } from './bus';
import { LEDGER_FILE, parseLine } from './ledger';
import { isSame } from './records';

const LIVE_FILE = 'live.json';
const FAILURES_FILE = 'failures.ndjson';
/** Between two looks, in ms. */
const [LOOK, SAY, SAY_AGAIN] = [250, 500, 5000];
/** Characters that are kept of a line that is none. */
const HEAD = 200;
/** Read at once. */
const BYTES = 1 << 22;

interface LiveFile {
  pack: PackNews;
  progress: Progress[];
}

/** A run's side: says what it works on, and what failed. Lossy by intent: a disk that refuses must not stop training. */
export class FolderNews {
  private readonly progressOf = new Map<string, Progress>();
  private lineages: string[] = [];
  private written = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly folder: string,
    private readonly names: Pick<PackNews, 'sweep' | 'pack'>,
  ) {
    rmSync(join(folder, FAILURES_FILE), { force: true });
    this.timer = setInterval(() => this.write(), SAY_AGAIN).unref();
  }

  progress(news: Progress): void {
    this.progressOf.set(news.lineage, news);
    if (Date.now() - this.written >= SAY) this.write();
  }

  atWork(lineages: string[]): void {
    this.lineages = lineages;
    for (const lineage of this.progressOf.keys()) if (!lineages.includes(lineage)) this.progressOf.delete(lineage);
    this.write();
  }

  fail(failure: Failure): void {
    try {
      appendFileSync(join(this.folder, FAILURES_FILE), `${JSON.stringify(failure)}\n`);
    } catch {}
  }

  close(): void {
    clearInterval(this.timer);
    rmSync(join(this.folder, LIVE_FILE), { force: true });
  }

  private write(): void {
    this.written = Date.now();
    const path = join(this.folder, LIVE_FILE);
    const said: LiveFile = {
      pack: { ...this.names, lineages: this.lineages },
      progress: [...this.progressOf.values()],
    };
    try {
      writeFileSync(`${path}.tmp`, JSON.stringify(said));
      renameSync(`${path}.tmp`, path);
    } catch {}
  }
}

/** The lines that were added to a file since it was last asked; all, when the file was begun anew. */
class Tail {
  private offset = 0;
  private file = 0;
  line = 0;

  constructor(readonly path: string) {}

  *lines(): Generator<string> {
    let file: number;
    try {
      file = openSync(this.path, 'r');
    } catch {
      return;
    }
    try {
      const { size, ino } = fstatSync(file);
      if (size < this.offset || ino !== this.file) [this.offset, this.line, this.file] = [0, 0, ino];
      while (this.offset < size) {
        const bytes = Buffer.alloc(Math.min(BYTES, size - this.offset));
        const read = readSync(file, bytes, 0, bytes.length, this.offset);
        const end = bytes.subarray(0, read).lastIndexOf(10) + 1;
        // What has no newline yet is still being written.
        if (end === 0) return;
        this.offset += end;
        for (const line of bytes.toString('utf8', 0, end).split('\n')) {
          if (line === '') continue;
          this.line++;
          yield line;
        }
      }
    } finally {
      closeSync(file);
    }
  }
}

/** A line that a full disk cut off and another was written behind is no failure, and stops nothing. */
function failureEntry(line: string, where: string): LedgerEntry {
  try {
    const { trial, reason } = (JSON.parse(line) ?? {}) as Partial<Failure>;
    if (typeof trial === 'string' && typeof reason === 'string') return { kind: 'failure', failure: { trial, reason } };
  } catch {
    // Said below.
  }
  const head = line.slice(0, HEAD);
  return { kind: 'poison', subject: where, reason: 'not a failure as a run writes it', bytes: line.length, head };
}

/** What several folders hold, as one ledger: places are given out as this process finds the records. */
export class FolderLedger implements Pick<Ledger, 'recorded' | 'follow' | 'position'> {
  private readonly records = new Map<string, TrialRecord>();
  private readonly entries: LedgerEntry[] = [];
  private readonly ledgers: Tail[];
  private readonly failures: Tail[];

  constructor(private readonly folders: readonly string[]) {
    this.ledgers = folders.map((folder) => new Tail(join(folder, LEDGER_FILE)));
    this.failures = folders.map((folder) => new Tail(join(folder, FAILURES_FILE)));
  }

  /** @throws DataError at a line that is no record as it was written */
  look(): void {
    for (const tail of this.ledgers)
      for (const line of tail.lines()) this.take(parseLine(line, `${tail.path}, line ${tail.line}`));
    for (const tail of this.failures)
      for (const line of tail.lines()) this.entries.push(failureEntry(line, `${tail.path}, line ${tail.line}`));
  }

  private take(record: TrialRecord): void {
    const known = this.records.get(record.id);
    if (known === undefined) {
      this.records.set(record.id, record);
      this.entries.push({ kind: 'record', record });
    } else if (!isSame(known, record))
      this.entries.push({ kind: 'conflict', trial: record.id, text: JSON.stringify(record) });
  }

  /** All that the folders hold by now. */
  read(): readonly LedgerEntry[] {
    this.look();
    return this.entries;
  }

  async recorded(trials: readonly string[]): Promise<Map<string, TrialRecord>> {
    const there = trials.filter((trial) => this.records.has(trial));
    return new Map(there.map((trial) => [trial, this.records.get(trial)!]));
  }

  async *follow(after: number, signal?: AbortSignal): AsyncGenerator<LedgerMessage> {
    for (let at = after; signal?.aborted !== true; ) {
      for (; at < this.entries.length; at++) yield { sequence: at + 1, stamp: String(at), entry: this.entries[at]! };
      await pause(signal);
      this.look();
    }
  }

  async position(sequence: number): Promise<LedgerPosition> {
    this.look();
    const isThere = sequence >= 1 && sequence <= this.entries.length;
    return {
      ledger: this.folders.join(' '),
      last: this.entries.length,
      ...(isThere ? { stamp: String(sequence - 1) } : {}),
    };
  }
}

const pause = (signal?: AbortSignal) =>
  sleep(LOOK, undefined, { ref: false, ...(signal === undefined ? {} : { signal }) }).catch(() => {});

/** What runs in the folders say that they work on, as they say it. */
export async function* folderNews(folders: readonly string[], signal: AbortSignal): AsyncGenerator<HeardNews> {
  const seen = new Map<string, number>();
  const lastPacks = new Map<string, PackNews>();
  while (!signal.aborted) {
    for (const folder of folders) {
      const path = join(folder, LIVE_FILE);
      try {
        const { mtimeMs } = statSync(path);
        if (seen.get(path) === mtimeMs) continue;
        seen.set(path, mtimeMs);
        const { pack, progress } = JSON.parse(readFileSync(path, 'utf8')) as LiveFile;
        const isOld = Date.now() - mtimeMs > 3 * SAY_AGAIN;
        for (const news of progress) yield { kind: 'progress', progress: news, isOld };
        yield { kind: 'pack', pack, isOld };
        lastPacks.set(path, pack);
      } catch {
        // It is gone: its run has ended.
        const pack = lastPacks.get(path);
        if (lastPacks.delete(path)) yield { kind: 'pack', pack: { ...pack!, lineages: [] }, isOld: false };
      }
    }
    await pause(signal);
  }
}
