/** Lets training go on while the ledger is slow or away: for a while, and ever more slowly. */
import type { TrialRecord } from '../sweep/record';
import type { Ledger } from './bus';

/** Records that may wait at once. */
const CAPACITY = 16;
/** Milliseconds that a record holds its lineage up at most, for each one that waits. */
const PATIENCE = 1000;

export class PublishQueue {
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(
    private readonly ledger: Pick<Ledger, 'publish'>,
    private readonly patience = PATIENCE,
  ) {}

  /**
   * Resolves when the record is durable, or while it still waits: after as many seconds as records do, if there is room.
   * @throws what the ledger says against this record or one before it
   */
  async publish(record: TrialRecord): Promise<void> {
    const durable = this.last.then(() => this.ledger.publish(record));
    this.last = durable;
    // It is looked at by the next one to publish, or by drained.
    durable.catch(() => {});
    this.waiting++;
    void durable.finally(() => this.waiting--).catch(() => {});
    if (this.waiting >= CAPACITY) return durable;
    let timer: NodeJS.Timeout | undefined;
    const goesOn = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.waiting * this.patience);
    });
    await Promise.race([durable, goesOn]).finally(() => clearTimeout(timer));
  }

  /** Resolves when everything that was published is durable. */
  drained(): Promise<void> {
    return this.last;
  }
}
