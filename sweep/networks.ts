/** Names and counts of networks and recipes. */
import type { DatasetShape, RecipeSpec } from './spec';

/** `300-100`. */
export const networkName = (hiddenWidths: readonly number[]): string => hiddenWidths.join('-');

/** Layer sizes, input to classes. */
export const layerSizes = (
  hiddenWidths: readonly number[],
  shape: Pick<DatasetShape, 'inputs' | 'classes'>,
): number[] => [shape.inputs, ...hiddenWidths, shape.classes];

/** Weights of all layers; biases are never counted. */
export const weightCount = (sizes: readonly number[]): number =>
  sizes.slice(1).reduce((sum, outputs, layer) => sum + sizes[layer]! * outputs, 0);

/** The count that a prune ratio leaves of `total` weights. */
export const remainingFor = (ratio: number, total: number): number => Math.round((1 - ratio) * total);

/** `magnitude/global/masked/iterative`, and the l1 and l2 that the recipe itself sets. */
export function recipeName({ criterion, scope, recovery, schedule, l1, l2 }: RecipeSpec): string {
  const own = [l1 === undefined ? '' : ` l1=${l1}`, l2 === undefined ? '' : ` l2=${l2}`];
  return `${criterion}/${scope}/${recovery}/${schedule}${own.join('')}`;
}
