import type { Criterion } from './criterion';

/**
 * The control: which weights stay does not depend on what they are. Global: drawn from all weights alike. Layer: every
 * layer keeps the same share. Weights that are exactly 0 go first, so that a count of survivors is a count of weights.
 */
export const random: Criterion = (weights, masks, scope, stream) =>
  weights.map((layer, l) => {
    const mask = masks[l]!;
    const candidates: number[] = [];
    for (let i = 0; i < layer.length; i++) if (mask[i] !== 0 && layer[i] !== 0) candidates.push(i);
    const scores = new Float32Array(layer.length);
    if (scope === 'global') for (const i of candidates) scores[i] = (stream.next() + 1) / 2 ** 32;
    else
      for (const [rank, candidate] of stream.permutation(candidates.length).entries())
        scores[candidates[candidate]!] = (rank + 0.5) / candidates.length;
    return scores;
  });
