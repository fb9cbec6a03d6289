/** What an engine does: it fits a network to the training images and evaluates it, and nothing else. */
import type { Evaluation } from '../../sweep/record';
import type { TrainingSpec } from '../../sweep/spec';
import type { SubsetName } from '../data/images';
import type { Masks, Parameters } from '../network';

export interface FitSettings extends Omit<TrainingSpec, 'epochs' | 'linear'> {
  /** The epoch to stop after. */
  epochs: number;
}

/** Everything that training goes on from. */
export interface FitState {
  parameters: Parameters;
  /** The optimiser's moments, laid out as the parameters; adam uses both, sgd the first. */
  first: Parameters;
  second: Parameters;
  /** Epochs done. */
  epoch: number;
}

export interface EpochNews {
  /** 1 after the first. */
  epoch: number;
  /** Mean over the epoch's batches as they were seen, of the cross-entropy without l1 and l2. */
  loss: number;
  /** The same of the fraction of correct images. */
  accuracy: number;
  /** A copy of the state, made on demand. */
  snapshot(): FitState;
}

export interface Fit {
  sizes: readonly number[];
  settings: FitSettings;
  /** Survivors; all weights when absent. The weights outside are zero in `start` and stay so. */
  masks?: Masks;
  /** Hidden layers (0 for the first) whose ReLU is left out. */
  linear?: readonly number[];
  start: FitState;
  /** The images of an epoch (0 for the first), in the order in which they are batched. */
  order(epoch: number): Uint32Array;
  onEpoch?(news: EpochNews): void;
}

export interface Measurement extends Evaluation {
  /** Active (above zero) units of each hidden layer, on average over the images. */
  activeMean: number[];
}

export interface EvaluationOptions {
  /** Hidden layers (0 for the first) whose ReLU is left out. */
  linear?: readonly number[];
  /** Which of the subset; all when absent. */
  images?: readonly number[];
}

/** Where lineages train together, one waits until the others have come as far; an engine of one answers at once. */
export interface Engine {
  name: string;
  /** @throws Diverged when the loss is no longer a number */
  fit(fit: Fit): FitState | Promise<FitState>;
  evaluate(
    sizes: readonly number[],
    parameters: Parameters,
    subset: SubsetName,
    options?: EvaluationOptions,
  ): Measurement | Promise<Measurement>;
}

export class Diverged extends Error {
  override readonly name = 'Diverged';
  constructor(readonly epoch: number) {
    super(`the loss is no longer a number in epoch ${epoch}`);
  }
}
