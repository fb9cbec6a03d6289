/** The durable, final result of a trial. */
import type { TrialContent } from './trial';

/** The version that is written; `readrecord.ts` reads every version that there ever was. */
export const RECORD_VERSION = 2;

/** Counts of surviving weights in equal bins from -limit to +limit, limit the largest magnitude. */
export interface Histogram {
  limit: number;
  /** As `counts.ts` writes them. */
  counts: string;
}

export interface Evaluation {
  correct: number;
  images: number;
  /** Mean softmax cross-entropy. */
  loss: number;
}

/** What differs from run to run, and is therefore kept apart from everything that must not. */
export interface Cost {
  /** Seconds of this trial's own training: retraining, and for a dense trial the dense training. */
  trainingSeconds: number;
  evaluationSeconds: number;
  worker: number;
  host: string;
  versions: Record<string, string>;
}

export interface TrialRecord {
  version: typeof RECORD_VERSION;
  id: string;
  trial: TrialContent;
  engine: string;
  /** Weights left, per layer; their sum is the trial's `remainingWeights`. */
  remainingByLayer: number[];
  /** Largest magnitude removed when the network was last pruned, per layer; 0 if none was. */
  thresholdByLayer: number[];
  test: Evaluation;
  /** Absent when no training images are held back. */
  validation?: Evaluation;
  /** Correct test images with one hidden ReLU replaced by the identity, one number a hidden layer. */
  testCorrectWithoutRelu: number[];
  /** Hidden units above zero: on the probe image, and on average over the test set. */
  activeProbe: number[];
  activeMean: number[];
  flopFraction: number;
  histograms: { all: Histogram; layers: Histogram[] };
  /**
   * Surviving weights of each input in fc1, as `counts.ts` writes them; absent for images of more than 4,096 pixels, and
   * in what was written at version 1.
   */
  survivorsByInput?: string;
  cost: Cost;
}
