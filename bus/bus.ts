/** How records, progress and checkpoints travel between those who train and those who keep. */
import type { TrialRecord } from '../sweep/record';

/** The live news of a lineage: lossy by intent, nothing may depend on it. */
export interface Progress {
  lineage: string;
  network: string;
  seed: number;
  /** `dense`, or the trial's recipe and what it leaves. */
  step: string;
  /** The trial at work; absent while the dense network trains. */
  trial?: string;
  epoch: number;
  epochs: number;
  loss: number;
  accuracy: number;
}

export interface Bus {
  /**
   * Resolves when the ledger has made the record durable; only then may its lineage go on. A trial's record that is there
   * already is compared, and what it cost is not.
   * @throws DataError when the two differ
   */
  publish(record: TrialRecord): Promise<void>;
  progress(news: Progress): void;
}

/** A place in the ledger and what is there: a record, or why it is none. */
export type LedgerMessage = { sequence: number } & (
  | { record: TrialRecord; poison?: never }
  | { record?: never; poison: string }
);

/** Where records are kept for ever, one a trial. */
export interface Ledger extends Pick<Bus, 'publish'> {
  /** Which of the trials have a record. */
  recorded(trials: readonly string[]): Promise<Set<string>>;
  /** What comes after a sequence (0: everything), in order, and then each record as it is published. */
  follow(after: number): AsyncIterable<LedgerMessage>;
  close(): void | Promise<void>;
}

/** What a killed lineage resumes from. A key is `lineage/name`; `put` replaces, durably and as a whole. */
export interface CheckpointStore {
  get(key: string): Uint8Array | undefined;
  put(key: string, bytes: Uint8Array): void;
  /** Forgets all of a lineage's checkpoints. */
  remove(lineage: string): void;
}
