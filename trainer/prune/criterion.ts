/** What a pruning criterion is. To add one: a file beside this one, and a line in `index.ts`. */
import type { Scope } from '../../sweep/spec';
import type { Masks, Parameters } from '../network';
import type { RandomStream } from '../random';

/**
 * How much each weight deserves to stay: one number per weight, laid out as the weights, 0 or more and comparable over
 * all layers. The largest stay; among equals the one that comes first (by layer, then by place in [in, out]).
 *
 * @param masks the weights still there; scores of others are not read
 * @param scope whether layers are compared as they are (`global`) or each by its own measure (`layer`)
 * @param stream random numbers for this trial's pruning alone
 */
export type Criterion = (
  weights: Parameters['weights'],
  masks: Masks,
  scope: Scope,
  stream: RandomStream,
) => Float32Array[];
