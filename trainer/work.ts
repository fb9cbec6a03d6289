/**
 * How long training takes, as arithmetic: seconds on the machine that the constants were measured on, times what this
 * machine takes for a small piece of the same work.
 */
import { weightCount } from '../sweep/networks';
import type { Lineage, Trial, TrialContent } from '../sweep/trial';
import { PHASES } from './prune/recovery';

export interface DataSize {
  train: number;
  test: number;
  /** Pixels of an image that are not zero, on average. */
  nonZero: number;
}

/** Seconds, fitted to epochs of 150-100, 300-100, 1200-100 and 300-300 on MNIST at 100 to 0.5 % of the weights. */
const PER_PRODUCT = 7.5e-11;
const PER_UPDATE = 1.1e-9;
const PER_ACTIVATION = 2.2e-10;
const SPARSE_SHARE = 0.25;

const MNIST_NON_ZERO_SHARE = 0.19;

export function dataSize(
  shape: { inputs: number; trainImages: number; testImages: number },
  validation: number,
): DataSize {
  return {
    train: shape.trainImages - validation,
    test: shape.testImages,
    nonZero: MNIST_NON_ZERO_SHARE * shape.inputs,
  };
}

/** This machine beside the one of the constants: seconds per expected second, by kind of kernel. */
export interface Speed {
  dense: number;
  sparse: number;
}

const AS_MEASURED: Speed = { dense: 1, sparse: 1 };

/** @param remaining weights that are trained */
export function epochSeconds(
  sizes: readonly number[],
  batchSize: number,
  remaining: number,
  data: DataSize,
  speed = AS_MEASURED,
): number {
  const total = weightCount(sizes);
  const steps = Math.ceil(data.train / batchSize);
  const units = sizes.slice(1).reduce((sum, size) => sum + size, 0);
  const activations = data.train * (data.nonZero + units) * PER_ACTIVATION;
  if (remaining < SPARSE_SHARE * total)
    return speed.sparse * (data.train * 3 * remaining * PER_PRODUCT + steps * remaining * PER_UPDATE + 3 * activations);
  const first = sizes[1]! * data.nonZero * 2;
  const above = (total - sizes[0]! * sizes[1]!) * 1.5;
  return speed.dense * (data.train * (first + above) * PER_PRODUCT + steps * total * PER_UPDATE + 4 * activations);
}

export function denseSeconds(
  training: TrialContent['training'],
  sizes: readonly number[],
  data: DataSize,
  speed = AS_MEASURED,
): number {
  return training.epochs * epochSeconds(sizes, training.batchSize, weightCount(sizes), data, speed);
}

/** Retraining and evaluation. */
export function trialSeconds(
  trial: Pick<TrialContent, 'remainingWeights' | 'recipe' | 'retraining' | 'training'>,
  sizes: readonly number[],
  data: DataSize,
  speed = AS_MEASURED,
): number {
  const total = weightCount(sizes);
  const { remainingWeights: remaining, recipe, retraining, training } = trial;
  const epoch = (weights: number) => epochSeconds(sizes, training.batchSize, weights, data, speed);
  // A third of training, forward alone; once whole and once without each hidden ReLU.
  const evaluation = ((sizes.length - 1) * data.test * epoch(remaining)) / data.train / 3;
  if (remaining === total) return evaluation;
  const phases = PHASES[recipe.recovery](retraining?.epochs ?? 0);
  return phases.reduce((sum, { epochs, free }) => sum + epochs * epoch(free ? total : remaining), evaluation);
}

/** Work of a lineage whose trials that are done need none. */
export function lineageSeconds(
  { content, sizes, chains }: Lineage,
  isDone: (trial: Trial) => boolean,
  data: DataSize,
): number {
  const missing = chains.flat().filter((trial) => !isDone(trial));
  if (missing.length === 0) return 0;
  return missing.reduce(
    (sum, trial) => sum + trialSeconds(trial.content, sizes, data),
    denseSeconds(content.training, sizes, data),
  );
}
