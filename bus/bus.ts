/** How records, progress and checkpoints travel between those who train and those who keep. */
import type { TrialRecord } from '../sweep/record';
import type { SweepDefinition } from '../sweep/spec';

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

/** The live news of who trains: what it works on, said when that changes and every few seconds. */
export interface PackNews {
  /** The sweep's name. */
  sweep: string;
  /** `pack-3`, or `dense-3` of those that do a part; unique among those who work on the sweep. */
  pack: string;
  /** The lineages at work. */
  lineages: string[];
}

export type News = { kind: 'progress'; progress: Progress } | { kind: 'pack'; pack: PackNews };

/** News, and whether it was said before the follower came. */
export type HeardNews = News & { isOld: boolean };

/** A definition of a sweep and where it is from. */
export interface PublishedSweep {
  definition: SweepDefinition;
  /** A person or the controller said so, or a trainer brought it along. */
  by: 'owner' | 'trainer';
  /** Milliseconds since 1970: when it was first heard of, by the clock of who keeps it. */
  since: number;
}

/** The end of a sweep: nobody is to show it any more. Its records stay, as others may be made of the same trials. */
export interface Withdrawal {
  withdrawn: string;
}

/** Why a trial can have no record: its network diverged. */
export interface Failure {
  trial: string;
  reason: string;
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

/** What a place in the ledger holds. */
export type LedgerEntry =
  | { kind: 'record'; record: TrialRecord }
  | { kind: 'failure'; failure: Failure }
  /** Somebody measured a recorded trial again, with another result, which was not taken: the alarm. */
  | { kind: 'conflict'; trial: string; text: string }
  /** What is none of these: why, and its first characters. */
  | { kind: 'poison'; subject: string; reason: string; bytes: number; head: string };

export interface LedgerMessage {
  /** Places are numbered from 1, with gaps where there are other things. */
  sequence: number;
  /** Tells this message from any other that may come to have its sequence, when a ledger is brought back from a copy. */
  stamp: string;
  entry: LedgerEntry;
}

export interface LedgerPosition {
  /** Another when the ledger was made anew. */
  ledger: string;
  /** The last sequence that was given out. */
  last: number;
  /** That of the message asked for, if it is there. */
  stamp?: string;
}

/** Where records are kept for ever, one a trial. */
export interface Ledger extends Pick<Bus, 'publish'> {
  /** Those of the trials that have a record, with it. */
  recorded(trials: readonly string[]): Promise<Map<string, TrialRecord>>;
  /** What comes after a sequence (0: everything), in order, and then each message as it is published, until the signal. */
  follow(after: number, signal?: AbortSignal): AsyncIterable<LedgerMessage>;
  /** @param sequence of the message whose stamp is asked for */
  position(sequence: number): Promise<LedgerPosition>;
  close(): void | Promise<void>;
}

/** What a killed lineage resumes from: its dense network, its last pruned one, the training that is under way. */
export const CHECKPOINT_NAMES = ['dense', 'pruned', 'fit'] as const;
export type CheckpointName = (typeof CHECKPOINT_NAMES)[number];

/** Keeps checkpoints. What is saved replaces what was there, durably and as a whole. */
export interface Checkpoints {
  load(lineage: string): Promise<Map<CheckpointName, Uint8Array>>;
  save(lineage: string, name: CheckpointName, bytes: Uint8Array): Promise<void>;
  remove(lineage: string): Promise<void>;
}

/** The checkpoints of the lineage at work, as it sees them. */
export interface LineageCheckpoints {
  get(name: CheckpointName): Uint8Array | undefined;
  put(name: CheckpointName, bytes: Uint8Array): void;
  /** All is recorded: none is needed any more. */
  clear(): void;
}
