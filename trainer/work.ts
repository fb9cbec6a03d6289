/**
 * How long training takes, as arithmetic: seconds on the machine that the constants were measured on, times what this
 * machine takes for a small piece of the same work.
 */
import { weightCount } from '../sweep/networks';
import type { Lineage, Trial, TrialContent } from '../sweep/trial';
import { SPARSE_BELOW } from './engine/wasm';
import { PHASES } from './prune/recovery';

export interface DataSize {
  train: number;
  test: number;
  /** Pixels of an image that are not zero, on average. */
  nonZero: number;
}

/**
 * Seconds, fitted to epochs of 150-100, 300-100, 300-300 and 1200-100 on MNIST: dense within 3 %, at 10 to 0.5 % of the
 * weights within 20 %.
 */
const DENSE = { perProduct: 5.5e-11, perUpdate: 2.2e-10, perActivation: 7.3e-9 };
const SPARSE = { perProduct: 6.3e-11, perPixel: 2.8e-9 };

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
  if (remaining < SPARSE_BELOW * total)
    return speed.sparse * data.train * (3 * remaining * SPARSE.perProduct + data.nonZero * SPARSE.perPixel);
  const units = sizes.slice(1).reduce((sum, size) => sum + size, 0);
  // Forward and weight gradient of the first layer see non-zero pixels, what is above it about half of the units.
  const products = 2 * sizes[1]! * data.nonZero + 1.5 * (total - sizes[0]! * sizes[1]!);
  const images = data.train * (products * DENSE.perProduct + (data.nonZero + units) * DENSE.perActivation);
  return speed.dense * (images + Math.ceil(data.train / batchSize) * total * DENSE.perUpdate);
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
  return trialEpochs(trial, sizes, data, (weights) =>
    epochSeconds(sizes, trial.training.batchSize, weights, data, speed),
  );
}

/** The same, of whatever trains. @param epoch what an epoch takes of so many weights */
export function trialEpochs(
  { remainingWeights: remaining, recipe, retraining }: Pick<TrialContent, 'remainingWeights' | 'recipe' | 'retraining'>,
  sizes: readonly number[],
  data: DataSize,
  epoch: (weights: number) => number,
): number {
  const total = weightCount(sizes);
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
