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

/** 0 for fc1. */
export const layerIndex = (name: string): number => Number(name.slice('fc'.length)) - 1;

/** Layers by their names, each once and in one order, since the same layers are the same trial; undefined for none. */
export function layerNames(names: readonly string[] | undefined): string[] | undefined {
  if (names === undefined || names.length === 0) return undefined;
  return [...new Set(names)].sort((a, b) => layerIndex(a) - layerIndex(b));
}

/** `magnitude/global/masked/iterative`, and what else the recipe itself sets. */
export function recipeName({ criterion, scope, recovery, schedule, ...rest }: RecipeSpec): string {
  const { l1, l2, retraining } = rest;
  const own = {
    ...{ keepDense: layerNames(rest.keepDense)?.join(','), l1, l2, linear: layerNames(rest.linear)?.join(',') },
    ...{ epochs: retraining?.epochs, learningRateFactor: retraining?.learningRateFactor },
  };
  const set = Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : [` ${name}=${value}`]));
  return `${criterion}/${scope}/${recovery}/${schedule}${set.join('')}`;
}
