/** Pruning to an exact count. */
import { layerIndex } from '../../sweep/networks';
import type { CriterionName, Scope } from '../../sweep/spec';
import { countSurvivors, type Masks, type Parameters } from '../network';
import type { RandomStream } from '../random';
import type { Criterion } from './criterion';
import { magnitude } from './magnitude';
import { random } from './random';

const criteria: Record<CriterionName, Criterion> = { magnitude, random };

export interface Pruned {
  masks: Masks;
  /** The largest magnitude that was removed, one a layer, 0 where none was. */
  thresholds: number[];
}

/**
 * Removes the weights with the lowest scores until exactly `keep` are left, those of the layers of `keepDense` with them.
 *
 * @param masks the weights still there
 * @param keep number of weights left over all layers, 0 to the number of those still there
 */
export function prune(
  weights: Parameters['weights'],
  masks: Masks,
  recipe: { criterion: CriterionName; scope: Scope; keepDense?: readonly string[] },
  keep: number,
  stream: RandomStream,
): Pruned {
  const scores = criteria[recipe.criterion](weights, masks, recipe.scope, stream);
  const dense = new Set(recipe.keepDense?.map(layerIndex));
  const others = masks.map((mask, l) => (dense.has(l) ? new Uint8Array(mask.length) : mask));
  const set = countSurvivors(masks).reduce((sum, count, l) => (dense.has(l) ? sum + count : sum), 0);
  const kept = keepLargest(scores, others, keep - set).map((mask, l) => (dense.has(l) ? masks[l]! : mask));
  const thresholds = weights.map((layer, l) => {
    let largest = 0;
    for (let i = 0; i < layer.length; i++)
      if (masks[l]![i] !== 0 && kept[l]![i] === 0) largest = Math.max(largest, Math.abs(layer[i]!));
    return largest;
  });
  return { masks: kept, thresholds };
}

/**
 * Exactly `keep` of the weights in `masks`: those with the largest scores, among equals those that come first.
 * The bits of a float that is 0 or more order as the float does, so the score at the border is found by halves of its
 * bits in two counting passes (7 ms for a million weights, where sorting takes 80).
 */
export function keepLargest(scores: readonly Float32Array[], masks: Masks, keep: number): Masks {
  const bits = scores.map((layer) => new Uint32Array(layer.buffer, layer.byteOffset, layer.length));
  const border = (count: (bits: number) => number, wanted: number): { half: number; above: number } => {
    const counts = new Uint32Array(65536);
    for (const [l, layer] of bits.entries())
      for (let i = 0; i < layer.length; i++) {
        if (masks[l]![i] === 0) continue;
        const half = count(layer[i]!);
        if (half >= 0) counts[half]!++;
      }
    let above = 0;
    let half = 65535;
    for (; half > 0 && above + counts[half]! < wanted; half--) above += counts[half]!;
    return { half, above };
  };
  const high = border((b) => b >>> 16, keep);
  const low = border((b) => (b >>> 16 === high.half ? b & 0xffff : -1), keep - high.above);
  const threshold = ((high.half << 16) | low.half) >>> 0;
  let ties = keep - high.above - low.above;
  return bits.map((layer, l) => {
    const mask = new Uint8Array(layer.length);
    for (let i = 0; i < layer.length; i++) {
      if (masks[l]![i] === 0) continue;
      if (layer[i]! > threshold) mask[i] = 1;
      else if (layer[i] === threshold && ties > 0) {
        mask[i] = 1;
        ties--;
      }
    }
    return mask;
  });
}
