/** The ledger as a stream of JetStream, one message a trial. */
import { ErrorCode, type JetStreamClient, type JetStreamManager, type NatsConnection, NatsError } from 'nats';
import { DataError } from '../../sweep/errors';
import type { TrialRecord } from '../../sweep/record';
import type { Bus, Ledger, LedgerMessage, Progress } from '../bus';
import { assertSame, parseRecord } from '../records';
import { ensureStreams } from './streams';
import { progressSubject, RECORDS, recordRequest, recordSubject } from './subjects';

/** The server's words for a second message on a subject that may hold one. */
const SECOND_OF_SUBJECT = 10077;
const NOT_FOUND = 404;
const ANSWER_WITHIN = 5000;
const [FIRST_WAIT, LONGEST_WAIT] = [250, 10_000];
/** Requests under way at once when many trials are asked for. */
const TOGETHER = 64;

export class NatsLedger implements Bus, Ledger {
  private readonly stream: JetStreamClient;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly manager: JetStreamManager,
    private readonly say: (line: string) => void,
  ) {
    this.stream = connection.jetstream({ timeout: ANSWER_WITHIN });
  }

  /** @param say told what it waits for */
  static async open(connection: NatsConnection, say: (line: string) => void): Promise<NatsLedger> {
    const manager = await connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_WITHIN });
    return new NatsLedger(connection, manager, say);
  }

  /** Makes the streams that are missing; only a user who may do so calls this. */
  ensureStreams(): Promise<void> {
    return ensureStreams(this.manager);
  }

  /** However long NATS is away, slow or full. */
  async publish(record: TrialRecord): Promise<void> {
    const text = JSON.stringify(record);
    await this.patiently(`the record of trial ${record.id.slice(0, 12)}`, text.length, async () => {
      try {
        await this.stream.publish(recordSubject(record.id), text, { timeout: ANSWER_WITHIN });
      } catch (error) {
        // One that was taken although its acknowledgement was lost is refused as well.
        const known = apiCode(error) === SECOND_OF_SUBJECT ? await this.get(record.id) : undefined;
        if (known === undefined) throw error;
        assertSame(known, record);
      }
    });
  }

  async recorded(trials: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>();
    for (let first = 0; first < trials.length; first += TOGETHER)
      await Promise.all(
        trials.slice(first, first + TOGETHER).map((trial) =>
          this.patiently('the question what is recorded', 0, async () => {
            if ((await this.get(trial)) !== undefined) found.add(trial);
          }),
        ),
      );
    return found;
  }

  private async get(trial: string): Promise<TrialRecord | undefined> {
    const answer = await this.connection.request(recordRequest(trial), undefined, { timeout: ANSWER_WITHIN });
    return answer.headers?.code === NOT_FOUND ? undefined : parseRecord(answer.string());
  }

  /** Tries again, at growing intervals, for as long as what stands in the way may go. */
  private async patiently(what: string, bytes: number, action: () => Promise<void>): Promise<void> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        return await action();
      } catch (error) {
        this.say(`${what} waits for NATS: ${passingReason(error, bytes)}`);
        await new Promise((done) => setTimeout(done, wait));
      }
    }
  }

  /** Lost when NATS is away. */
  progress(news: Progress): void {
    if (!this.connection.isClosed()) this.connection.publish(progressSubject(news.lineage), JSON.stringify(news));
  }

  /** The ledger's messages after a sequence (0 for all), and then each as it comes, until the caller stops. */
  async *follow(after: number): AsyncGenerator<LedgerMessage> {
    const consumer = await this.stream.consumers.get(RECORDS, { opt_start_seq: after + 1 });
    const messages = await consumer.consume();
    try {
      for await (const message of messages) {
        const sequence = message.seq;
        yield { sequence, ...recordOrPoison(message.string()) };
      }
    } finally {
      await messages.close();
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

function recordOrPoison(text: string): { record: TrialRecord } | { poison: string } {
  try {
    return { record: parseRecord(text) };
  } catch (error) {
    return { poison: (error as Error).message };
  }
}

const apiCode = (error: unknown) => (error instanceof NatsError ? error.api_error?.err_code : undefined);

/** Why NATS did not do it this time. @throws DataError or the error when waiting would not help */
function passingReason(error: unknown, bytes: number): string {
  if (!(error instanceof NatsError)) throw error;
  switch (error.code) {
    case ErrorCode.MaxPayloadExceeded:
      throw new DataError(`a record of ${bytes} bytes is more than NATS takes; raise max_payload in its configuration`);
    case ErrorCode.PermissionsViolation:
      throw new DataError(`NATS refuses this to its user (${error.message}); give the trainer's user`);
    case ErrorCode.ConnectionClosed:
    case ErrorCode.ConnectionDraining:
      throw error;
    case ErrorCode.NoResponders:
      return `it has no stream ${RECORDS}, or no JetStream; the aggregator makes the stream`;
    case ErrorCode.Timeout:
      return `no answer within ${ANSWER_WITHIN / 1000} s`;
    default:
      return error.api_error?.description ?? error.message;
  }
}
