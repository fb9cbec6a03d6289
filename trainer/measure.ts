/** Everything that a record says of a network, measured on all images of the test set. */
import { encodeCounts } from '../sweep/counts';
import type { Histogram, TrialRecord } from '../sweep/record';
import type { Engine } from './engine/engine';
import { countSurvivors, type Masks, type Parameters } from './network';

const BINS = 100;

export type Measured = Pick<
  TrialRecord,
  | 'remainingByLayer'
  | 'test'
  | 'validation'
  | 'testCorrectWithoutRelu'
  | 'activeProbe'
  | 'activeMean'
  | 'flopFraction'
  | 'histograms'
  | 'survivorsByInput'
>;

/**
 * @param linear hidden layers that have no ReLU
 * @param probe the test image of `activeProbe`
 */
export async function measure(
  engine: Engine,
  sizes: readonly number[],
  parameters: Parameters,
  masks: Masks,
  linear: readonly number[],
  subsets: { validation: boolean; probe: number },
): Promise<Measured> {
  const { activeMean, ...test } = await engine.evaluate(sizes, parameters, 'test', { linear });
  const withoutRelu: number[] = [];
  for (const layer of sizes.slice(1, -1).keys()) {
    const { correct } = await engine.evaluate(sizes, parameters, 'test', { linear: [...linear, layer] });
    withoutRelu.push(correct);
  }
  const probe = await engine.evaluate(sizes, parameters, 'test', { linear, images: [subsets.probe] });
  const remainingByLayer = countSurvivors(masks);
  const measured: Measured = {
    remainingByLayer,
    test,
    testCorrectWithoutRelu: withoutRelu,
    activeProbe: probe.activeMean,
    activeMean,
    flopFraction: flopFraction(remainingByLayer, sizes, activeMean),
    histograms: histograms(parameters.weights, masks),
    ...survivorMap(masks[0]!, sizes[0]!),
  };
  if (subsets.validation) {
    const { correct, images, loss } = await engine.evaluate(sizes, parameters, 'validation', { linear });
    measured.validation = { correct, images, loss };
  }
  return measured;
}

/**
 * Han et al. 2015, Table 2: a weight is multiplied when it is there and its input is not zero; the input layer counts
 * as wholly active.
 */
export function flopFraction(
  remaining: readonly number[],
  sizes: readonly number[],
  activeMean: readonly number[],
): number {
  let [done, total] = [0, 0];
  for (const [layer, count] of remaining.entries()) {
    done += count * (layer === 0 ? 1 : activeMean[layer - 1]! / sizes[layer]!);
    total += sizes[layer]! * sizes[layer + 1]!;
  }
  return done / total;
}

/** A map of larger images would be most of the record. */
const LARGEST_MAP = 4096;

function survivorMap(mask: Uint8Array, inputs: number): Pick<Measured, 'survivorsByInput'> {
  if (inputs > LARGEST_MAP) return {};
  const outputs = mask.length / inputs;
  const counts = Array.from({ length: inputs }, (_, input) =>
    mask.subarray(input * outputs, (input + 1) * outputs).reduce((sum, one) => sum + one, 0),
  );
  return { survivorsByInput: encodeCounts(counts) };
}

function histograms(weights: readonly Float32Array[], masks: Masks): TrialRecord['histograms'] {
  const layers = weights.map((layer, l) => layer.filter((_, i) => masks[l]![i] !== 0));
  return { all: histogram(layers), layers: layers.map((layer) => histogram([layer])) };
}

function histogram(layers: readonly Float32Array[]): Histogram {
  let limit = 0;
  for (const layer of layers) for (const weight of layer) limit = Math.max(limit, Math.abs(weight));
  const counts = new Array<number>(BINS).fill(0);
  for (const layer of layers)
    for (const weight of layer) {
      const bin = limit === 0 ? BINS / 2 : Math.floor(((weight / limit + 1) / 2) * BINS);
      counts[Math.min(bin, BINS - 1)]!++;
    }
  return { limit, counts: encodeCounts(counts) };
}
