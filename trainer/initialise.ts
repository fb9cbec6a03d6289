import type { Parameters } from './network';
import { zeroParameters } from './network';
import { RandomStream } from './random';

/**
 * He et al. 2015, uniform: weights between -sqrt(6 / inputs) and +sqrt(6 / inputs), never exactly 0, biases 0.
 * Each layer draws from its own stream, in row-major order.
 */
export function initialise(sizes: readonly number[], seed: number): Parameters {
  const parameters = zeroParameters(sizes);
  for (const [layer, weights] of parameters.weights.entries()) {
    const stream = new RandomStream(seed, 'initialise', layer);
    const limit = Math.sqrt(6 / sizes[layer]!);
    for (let i = 0; i < weights.length; i++) weights[i] = stream.symmetric() * limit;
  }
  return parameters;
}
