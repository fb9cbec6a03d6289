/** Networks of one shape, evaluated at once on the same images. */
import type { Parameters } from '../../network';
import type { Measurement } from '../engine';
import type { TensorId } from './binding';
import type { Device } from './device';
import type { DeviceImages } from './images';
import { stack } from './networks';

/** Units of the largest layer, of all networks and images of a batch: 64 MiB, as often as an operation makes a copy. */
const UNITS = 2 ** 24;

/**
 * @param linear hidden layers without a ReLU
 * @param chosen which of the images; all when absent
 */
export function evaluate(
  device: Device,
  sizes: readonly number[],
  networks: readonly Parameters[],
  { count, pixels, labels }: DeviceImages,
  linear: readonly number[],
  chosen?: readonly number[],
): Measurement[] {
  const images = chosen?.length ?? count;
  const batch = Math.max(1, Math.floor(UNITS / (networks.length * Math.max(...sizes.slice(1)))));
  const results = networks.map(
    (): Measurement => ({ correct: 0, images, loss: 0, activeMean: sizes.slice(1, -1).map(() => 0) }),
  );
  device.scope(() => {
    const layers = stack(device, sizes, networks);
    for (let done = 0; done < images; done += batch) {
      const size = Math.min(batch, images - done);
      device.scope(() => {
        const order = device.integers([size], chosen?.slice(done, done + size) ?? range(done, size));
        const inputs = device.reshape(device.rows(pixels, order), [1, size, sizes[0]!]);
        const { logits, active } = forward(device, layers, inputs, linear);
        const targets = device.integersAt(labels, device.repeat(order, networks.length));
        const flat = device.reshape(logits, [networks.length * size, sizes.at(-1)!]);
        const judged = [device.crossEntropy(flat, targets).losses, device.isCorrect(flat, targets)];
        const sums = judged.map((values) => device.sum(device.reshape(values, [networks.length, size]), [1]));
        const [losses, correct, ...units] = [...sums, ...active].map((sum) => device.read(sum));
        for (const [i, result] of results.entries()) {
          result.loss += losses![i]!;
          result.correct += correct![i]!;
          for (const [l, counts] of units.entries()) result.activeMean[l]! += counts[i]!;
        }
        return [];
      });
    }
    return [];
  });
  return results.map((result) => ({
    ...result,
    loss: result.loss / images,
    activeMean: result.activeMean.map((units) => units / images),
  }));
}

const range = (first: number, count: number) => Uint32Array.from({ length: count }, (_, i) => first + i);

/** @returns logits, [networks, images, classes], and the active units of each hidden layer over all images, [networks] */
function forward(
  device: Device,
  layers: ReturnType<typeof stack>,
  inputs: TensorId,
  linear: readonly number[],
): { logits: TensorId; active: TensorId[] } {
  const active: TensorId[] = [];
  let units = inputs;
  for (const [l, { weights, biases }] of layers.entries()) {
    units = device.add(device.product(units, weights), biases);
    if (l === layers.length - 1) break;
    active.push(device.sum(device.isPositive(units), [1, 2]));
    if (!linear.includes(l)) units = device.relu(units);
  }
  return { logits: units, active };
}
