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
  /** Resolves when the ledger has made the record durable; only then may its lineage go on. */
  publish(record: TrialRecord): Promise<void>;
  progress(news: Progress): void;
}

/** What a killed lineage resumes from. A key is `lineage/name`; `put` replaces, durably and as a whole. */
export interface CheckpointStore {
  get(key: string): Uint8Array | undefined;
  put(key: string, bytes: Uint8Array): void;
  /** Forgets all of a lineage's checkpoints. */
  remove(lineage: string): void;
}
