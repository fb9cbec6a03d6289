/** What the page shows, as the server or a file says it; types alone, so that what writes the file needs no browser. */
import type { Cell } from '../../sweep/cells';
import type { TrialRecord } from '../../sweep/record';

/** As the server tells it; see `/openapi.json`. */
export interface LiveCell extends Cell {
  at: number;
  failed?: number;
}

export interface Work {
  pack: string;
  lineage: string;
  progress?: {
    network: string;
    seed: number;
    step: string;
    trial?: string;
    epoch: number;
    epochs: number;
    loss: number;
    accuracy: number;
  };
}

export interface Status {
  name: string;
  state: 'complete' | 'running' | 'waiting' | 'failed' | 'unknown';
  trials: { total: number; recorded: number; failed: number; running: number; missing: number };
  timeLeftSeconds: number | null;
  best: Cell | null;
  conflicts: string[];
  ledger: { ready: boolean; reason: string; folded: number; last?: number };
  atWork: Work[];
  recordsPerMinute: number;
  cellsAtWork: number[];
}

/** A sweep in the list of all. */
export interface ListedSweep extends Status {
  /** ISO 8601: when the server first heard of it. */
  since: string;
}

/** What the columns are: shares removed and counts left. */
export interface Axes {
  pruneRatios: readonly number[];
  remainingWeights: readonly number[];
  weights: Record<string, number>;
  seeds: readonly number[];
  /** Shows why trials failed. */
  logCommand: string;
}

/** A trial as a list of trials has it. */
export interface SavedTrial {
  id: string;
  seed: number;
  state: 'recorded' | 'failed' | 'missing';
  accuracy: number | null;
  failure: string | null;
}

/** A sweep in a file; see cli/savedtable.ts. */
export interface Saved {
  name: string;
  axes: Axes;
  cells: LiveCell[];
  status: Status;
  /** By place of the cell. */
  trials: SavedTrial[][];
  /** By trial id; none when they are too many for a file. */
  records: Record<string, TrialRecord>;
  /** The table as text. */
  files: Record<'csv' | 'md' | 'tex', string>;
}
