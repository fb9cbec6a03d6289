/** What lies at fixed addresses of a worker's own memory, ahead of every layout. */

/** Scalars that change from step to step, each splatted over 16 bytes; they are loaded after the summing loops, where
 * registers are free. */
const CONSTANTS = 1024;
export const CONSTANT = {
  /** sgd: momentum. */
  beta1: CONSTANTS,
  oneMinusBeta1: CONSTANTS + 16,
  beta2: CONSTANTS + 32,
  oneMinusBeta2: CONSTANTS + 48,
  /** adam: learningRate / (1 - beta1^t); sgd: learningRate. */
  rate: CONSTANTS + 64,
  /** 1 / sqrt(1 - beta2^t). */
  correction: CONSTANTS + 80,
  epsilon: CONSTANTS + 96,
  l1: CONSTANTS + 112,
  l2: CONSTANTS + 128,
  /** 1 / images of the batch. */
  perImage: CONSTANTS + 144,
  /** FLUSH. */
  flush: CONSTANTS + 160,
  /** PIXEL_SCALE. */
  pixelScale: CONSTANTS + 176,
} as const;
export const SCRATCH = 2048;
/** The first address that a layout may use. */
export const HEAP = 4096;

/** What a pixel's byte is multiplied by. */
export const PIXEL_SCALE = Math.fround(1 / 255);
