/** What a sweep is: the types of an accepted sweep file. `schema.ts` describes the same fields for people and validators. */

export type Optimizer = 'adam' | 'sgd';
/** Which weights go first, by name; `trainer/prune/` has a file for each. */
export const CRITERIA = {
  magnitude: 'the smallest magnitudes',
  random: 'random ones (the control)',
} as const;
export type CriterionName = keyof typeof CRITERIA;
export type Scope = 'global' | 'layer';
export type Recovery = 'masked' | 'regrow' | 'none';
export type Schedule = 'iterative' | 'oneshot';
/** What becomes of a sweep's table when its object is deleted in a cluster. */
export type RecordRetention = 'Retain' | 'Delete';

/** Paths of the user's own IDX files, plain or gzipped. */
export interface IdxFiles {
  trainImages: string;
  trainLabels: string;
  testImages: string;
  testLabels: string;
}

export interface DatasetSpec {
  /** Exactly one of `name` and `idx` is set. */
  name?: 'mnist';
  idx?: IdxFiles;
  /** SHA-256 of the decoded IDX files; filled in when a sweep is accepted, checked when it is run again. */
  sha256?: string;
  /** Training images held back (the last ones of the file); 0 as in the article. */
  validation: number;
}

export interface TrainingSpec {
  epochs: number;
  batchSize: number;
  optimizer: Optimizer;
  learningRate: number;
  /** Of sgd; 0 with adam. */
  momentum: number;
  l1: number;
  l2: number;
  /** Hidden layers without a ReLU, from a recipe: absent when all have theirs. */
  linear?: string[];
}

export interface RetrainingSpec {
  epochs: number;
  learningRateFactor: number;
}

export interface RecipeSpec {
  criterion: CriterionName;
  scope: Scope;
  recovery: Recovery;
  schedule: Schedule;
  /** Layers that are not pruned, `fc1` for the first; absent when all are. */
  keepDense?: string[];
  /** Override `training.l1` and `training.l2` for this recipe, its dense network included. */
  l1?: number;
  l2?: number;
  /** Hidden layers without a ReLU, in this recipe's dense network too. */
  linear?: string[];
  /** Overrides the sweep's for this recipe. */
  retraining?: Partial<RetrainingSpec>;
}

export interface PodTemplate {
  accelerator?: 'gpu' | 'cpu';
  retrainOn?: 'cpu';
  gpuResource?: string;
  /** GiB. */
  gpuMemory?: number;
  /** Hours of a core. */
  gpuPrice?: number;
  allowCpu?: boolean;
  queueName?: string;
  /** The rest is as in a pod of Kubernetes. */
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  nodeSelector?: Record<string, string>;
  tolerations?: object[];
}

export interface SweepSpec {
  dataset: DatasetSpec;
  hiddenWidths: number[][];
  pruneRatios: number[];
  remainingWeights: number[];
  seeds: number[];
  recipes: RecipeSpec[];
  training: TrainingSpec;
  retraining: RetrainingSpec;
  parallelism: number;
  lineagesPerPack: number | 'auto';
  maxFailedTrials: number;
  suspend: boolean;
  recordRetention: RecordRetention;
  template: PodTemplate;
}

/** An accepted sweep: every default filled in. */
export interface Sweep {
  apiVersion: 'prunesweep.dev/v1alpha1';
  kind: 'PruneSweep';
  metadata: { name: string };
  spec: SweepSpec;
}

/** What the grid must know of a dataset; read from the files, so that planning needs no images. */
export interface DatasetShape {
  /** Pixels of an image, 1 to 65,536. */
  inputs: number;
  /** 2 to 256. */
  classes: number;
  /** Images before any are held back for validation. */
  trainImages: number;
  testImages: number;
  /** What a trial's identity says of the dataset: `mnist`, or `sha256:` and the digest of the decoded IDX files. */
  identity: string;
}

/** A sweep with what the grid must know of its data set: all that it takes to say which trials there are. */
export interface SweepDefinition {
  sweep: Sweep;
  shape: DatasetShape;
}
