/** The ledger as a stream of JetStream, one message a trial. */
import { hostname } from 'node:os';
import type { JetStreamClient, JetStreamManager, JsMsg } from 'nats';
import { DataError } from '../../sweep/errors';
import { readRecord } from '../../sweep/readrecord';
import type { TrialRecord } from '../../sweep/record';
import type { Failure, Ledger, LedgerEntry, LedgerMessage, LedgerPosition } from '../bus';
import { assertSame, parseRecord } from '../records';
import { ANSWER_WITHIN, apiCode, type NatsLink, patiently } from './connect';
import { messagesOf } from './follow';
import { conflictSubject, failureSubject, RECORDS, recordSubject } from './subjects';

/** The server's words for a second message on a subject that may hold one. */
const SECOND_OF_SUBJECT = 10077;
/** And for none on a subject, or at a place. */
const NO_MESSAGE = 10037;
/** Requests under way at once when many trials are asked for. */
const TOGETHER = 64;
/** Characters of poison that are kept. */
const HEAD = 200;
const NEVER = new AbortController().signal;

export class NatsLedger implements Ledger {
  private constructor(
    private readonly link: NatsLink,
    private readonly stream: JetStreamClient,
    private readonly manager: JetStreamManager,
  ) {}

  static async open(link: NatsLink): Promise<NatsLedger> {
    const { connection } = link;
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_WITHIN });
    return new NatsLedger(link, connection.jetstream({ timeout: ANSWER_WITHIN }), manager);
  }

  /** However long NATS is away, slow or full. A contradiction is told to all before it is thrown. */
  async publish(record: TrialRecord): Promise<void> {
    const text = JSON.stringify(record);
    const known = await this.put(`the record of trial ${record.id.slice(0, 12)}`, recordSubject(record.id), text, () =>
      this.get(record.id),
    );
    if (known === undefined) return;
    try {
      assertSame(known, record);
    } catch (error) {
      const alarm = JSON.stringify({ trial: record.id, host: hostname(), record });
      await this.put(`the alarm about trial ${record.id.slice(0, 12)}`, conflictSubject(record.id), alarm);
      throw error;
    }
  }

  /** Says for ever that a trial can have no record; the first reason stays. */
  async fail(failure: Failure): Promise<void> {
    const what = `the failure of trial ${failure.trial.slice(0, 12)}`;
    await this.put(what, failureSubject(failure.trial), JSON.stringify(failure));
  }

  /**
   * Takes a message to its subject, unless there is one.
   * @param known asks for the one that is there; it is answered
   */
  private put<T>(what: string, subject: string, text: string, known?: () => Promise<T>): Promise<T | undefined> {
    return patiently(this.link, what, Buffer.byteLength(text), async () => {
      try {
        await this.stream.publish(subject, text, { timeout: ANSWER_WITHIN });
        return undefined;
      } catch (error) {
        // One that was taken although its acknowledgement was lost is refused as well.
        if (apiCode(error) !== SECOND_OF_SUBJECT) throw error;
        return known?.();
      }
    });
  }

  async recorded(trials: readonly string[]): Promise<Map<string, TrialRecord>> {
    const found = new Map<string, TrialRecord>();
    for (let first = 0; first < trials.length; first += TOGETHER) {
      const some = trials.slice(first, first + TOGETHER);
      const records = await patiently(this.link, 'the question what is recorded', 0, () =>
        Promise.all(some.map((trial) => this.get(trial))),
      );
      for (const record of records) if (record !== undefined) found.set(record.id, record);
    }
    return found;
  }

  /**
   * Asked of the API, not by DIRECT.GET: a user who may ask that has the server send the answer to any subject, such as
   * the one that deletes the stream (tried with 2.15.1).
   */
  private async get(trial: string): Promise<TrialRecord | undefined> {
    const subject = recordSubject(trial);
    const message = await this.manager.streams
      .getMessage(RECORDS, { last_by_subj: subject })
      .catch((error: unknown) => {
        if (apiCode(error) === NO_MESSAGE) return undefined;
        throw error;
      });
    if (message === undefined) return undefined;
    const entry = recordEntry(trial, message.string());
    if (entry.kind === 'record') return entry.record;
    throw new DataError(
      `trial ${trial}: what the ledger holds in its place is no record (${entry.kind === 'poison' ? entry.reason : ''}); whoever has a trainer's user put it there, and it must be taken out of the stream ${RECORDS} by hand`,
    );
  }

  async *follow(after: number, signal = NEVER): AsyncGenerator<LedgerMessage> {
    for await (const message of messagesOf(this.link, RECORDS, { opt_start_seq: after + 1 }, signal))
      yield { sequence: message.seq, stamp: String(message.info.timestampNanos), entry: entryOf(message) };
  }

  async position(sequence: number): Promise<LedgerPosition> {
    const { created, state } = await this.manager.streams.info(RECORDS);
    const position = { ledger: created, last: state.last_seq };
    if (sequence === 0) return position;
    try {
      const { timestamp } = await this.manager.streams.getMessage(RECORDS, { seq: sequence });
      return { ...position, stamp: nanosOf(timestamp) };
    } catch (error) {
      if (apiCode(error) === NO_MESSAGE) return position;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.link.connection.close();
  }
}

/** `2026-11-24T16:42:29.123456789Z` as nanoseconds since 1970, as exact as a message says them of itself. */
function nanosOf(time: string): string {
  const [, seconds, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(time)!;
  return String(Number(BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))));
}

function entryOf(message: JsMsg): LedgerEntry {
  const [, kind, trial] = message.subject.split('.') as [string, string, string];
  const text = message.string();
  if (kind === 'record') return recordEntry(trial, text, message.data.length);
  try {
    const { reason, record } = (JSON.parse(text) ?? {}) as { reason?: unknown; record?: unknown };
    if (kind === 'failure' && typeof reason === 'string') return { kind: 'failure', failure: { trial, reason } };
    if (kind === 'conflict' && readRecord(record).id === trial) return { kind: 'conflict', trial, text };
  } catch {
    // Said below.
  }
  return poison(message.subject, `not a ${kind} as trainers publish it`, text, message.data.length);
}

function recordEntry(trial: string, text: string, bytes = text.length): LedgerEntry {
  try {
    const record = parseRecord(text);
    if (record.id === trial) return { kind: 'record', record };
    return poison(recordSubject(trial), `the record of trial ${record.id}, in the place of another`, text, bytes);
  } catch (error) {
    return poison(recordSubject(trial), (error as Error).message, text, bytes);
  }
}

const poison = (subject: string, reason: string, text: string, bytes: number): LedgerEntry => ({
  ...{ kind: 'poison', subject, reason, bytes },
  head: text.slice(0, HEAD),
});
