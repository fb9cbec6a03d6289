import type { Masks } from '../network';
import type { Criterion } from './criterion';

/**
 * Global: |w|, one threshold over all layers, the article's way. Layer: |w| / the standard deviation of the layer's
 * surviving weights, so that the threshold is Han et al.'s (2015): a quality times that deviation, one quality for all
 * layers, and the quality is what leaves the wanted count.
 */
export const magnitude: Criterion = (weights, masks, scope) =>
  weights.map((layer, l) => {
    const unit = scope === 'layer' ? standardDeviation(layer, masks[l]!) : 1;
    // Weights that do not deviate at all have a threshold of 0: none of them is below it.
    return layer.map((weight) => (weight === 0 ? 0 : Math.abs(weight) / unit));
  });

function standardDeviation(weights: Float32Array, mask: Masks[number]): number {
  let [count, sum] = [0, 0];
  for (let i = 0; i < weights.length; i++)
    if (mask[i] !== 0) {
      count++;
      sum += weights[i]!;
    }
  if (count === 0) return 1;
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < weights.length; i++) if (mask[i] !== 0) squares += (weights[i]! - mean) * (weights[i]! - mean);
  return Math.sqrt(squares / count);
}
