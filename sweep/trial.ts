/** Trials and lineages: the points of the grid and the dense networks they are pruned from. */
import type { RecipeSpec, RetrainingSpec, TrainingSpec } from './spec';

/** What of a recipe is in neither training nor retraining. */
export type PruningSpec = Omit<RecipeSpec, 'l1' | 'l2' | 'linear' | 'retraining'>;

/** Everything that a dense network depends on. */
export interface LineageContent {
  dataset: string;
  validation: number;
  hiddenWidths: number[];
  training: TrainingSpec;
  seed: number;
}

/**
 * Everything that a trial's numbers depend on. Its hash is the trial id, so nothing that does not matter (a sweep's
 * name, a path, a ratio that gives the same count) may be in here.
 */
export interface TrialContent extends LineageContent {
  recipe: PruningSpec;
  /** Null where nothing is retrained: recovery none, and the dense network itself. */
  retraining: RetrainingSpec | null;
  /** The count that is left, all layers together, biases not counted. */
  remainingWeights: number;
  /** Of an iterative trial: the trial whose network it is pruned from, null for the dense network. */
  parent: string | null;
}

export interface Trial {
  id: string;
  content: TrialContent;
  /** As the sweep file says it; absent for an absolute target. */
  pruneRatio?: number;
}

/** A dense network and the trials pruned from it, grouped by recipe and walked in order of falling counts. */
export interface Lineage {
  id: string;
  content: LineageContent;
  /** Layer sizes, input to classes. */
  sizes: number[];
  chains: Trial[][];
}
