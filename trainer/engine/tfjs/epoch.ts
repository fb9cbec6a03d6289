/** One epoch of networks that train together: every step is some 40 operations, whatever the number of networks. */
import type { FitSettings } from '../engine';
import type { TensorId } from './binding';
import type { Device } from './device';
import type { DeviceImages } from './images';
import type { Networks } from './networks';

/** Of Adam, as in its paper, and as the kernel has them: float32. */
const [BETA1, BETA2] = [Math.fround(0.9), Math.fround(0.999)];
const EPSILON = 1e-8;

/** Steps whose logits are kept until they are judged at once: 3 operations instead of 6 for each. */
const JUDGED_TOGETHER = 64;

/** What a step takes beside the networks; the tensors are the epoch's. */
interface Step {
  images: number;
  /** Integers: which images, [networks, images], and their labels, [networks * images]. */
  order: TensorId;
  labels: TensorId;
  rate: TensorId;
  epsilon: TensorId;
}

export interface EpochResult {
  /** Mean over the epoch's images as they were seen; not a number when one was not. */
  loss: number;
  accuracy: number;
}

/** By multiplication: Math.pow may differ between versions of V8. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let i = 0; i < exponent; i++) result *= base;
  return result;
}

/**
 * @param orders of each network, the images in the order in which they are batched
 * @param linear hidden layers without a ReLU
 * @param stepsDone before this epoch
 */
export function trainEpoch(
  device: Device,
  networks: Networks,
  images: DeviceImages,
  orders: readonly Uint32Array[],
  settings: FitSettings,
  linear: readonly number[],
  stepsDone: number,
): EpochResult[] {
  const results = orders.map(() => ({ loss: 0, accuracy: 0 }));
  device.scope(() => {
    const steps = planSteps(device, images, orders, settings, stepsDone);
    const sums: Sums[] = [];
    for (let first = 0; first < steps.length; ) {
      const { images: size } = steps[first]!;
      const together = steps.slice(first, first + JUDGED_TOGETHER).filter((step) => step.images === size);
      sums.push(runSteps(device, networks, images, together, settings, linear));
      first += together.length;
    }
    // The one place of an epoch where the host waits for the device.
    for (const { loss, correct } of sums) {
      const [losses, corrects] = [device.read(loss), device.read(correct)];
      for (const [i, result] of results.entries()) {
        result.loss += losses[i]!;
        result.accuracy += corrects[i]!;
      }
    }
    return [];
  });
  return results.map(({ loss, accuracy }) => ({ loss: loss / images.count, accuracy: accuracy / images.count }));
}

/** Everything that the steps take from the host, brought over at once. */
function planSteps(
  device: Device,
  images: DeviceImages,
  orders: readonly Uint32Array[],
  settings: FitSettings,
  stepsDone: number,
): Step[] {
  const batch = Math.min(settings.batchSize, images.count);
  const whole = Math.floor(images.count / batch);
  const rest = images.count - whole * batch;
  const scalars = scheduleOf(settings, stepsDone, whole + (rest > 0 ? 1 : 0));
  const rates = device.unstack(
    device.floats(
      [scalars.length],
      Float32Array.from(scalars, ({ rate }) => rate),
    ),
    scalars.length,
    'floats',
  );
  const epsilons = device.unstack(
    device.floats(
      [scalars.length],
      Float32Array.from(scalars, ({ epsilon }) => epsilon),
    ),
    scalars.length,
    'floats',
  );
  const batches = (count: number, size: number, from: number) => {
    const [L, each] = [orders.length, size * orders.length];
    const indices = new Uint32Array(count * each);
    for (let step = 0; step < count; step++)
      for (let i = 0; i < L; i++)
        indices.set(orders[i]!.subarray(from + step * size, from + (step + 1) * size), step * each + i * size);
    const order = device.integers([count, L, size], indices);
    const labels = device.reshapeIntegers(device.integersAt(images.labels, order), [count, each]);
    const [ordersOf, labelsOf] = [order, labels].map((all) => device.unstack(all, count, 'integers'));
    return ordersOf!.map((order, step) => ({ images: size, order, labels: labelsOf![step]! }));
  };
  return [...batches(whole, batch, 0), ...(rest > 0 ? batches(1, rest, whole * batch) : [])].map((step, index) => ({
    ...step,
    rate: rates[index]!,
    epsilon: epsilons[index]!,
  }));
}

/**
 * Adam's correction of its moments goes into the rate and epsilon:
 * rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + e) = rate c / (1 - b1^t) m / (sqrt(v) + e c) with c = sqrt(1 - b2^t).
 */
function scheduleOf({ optimizer, learningRate }: FitSettings, stepsDone: number, steps: number) {
  let [power1, power2] = [power(BETA1, stepsDone), power(BETA2, stepsDone)];
  return Array.from({ length: steps }, () => {
    power1 *= BETA1;
    power2 *= BETA2;
    const correction = Math.sqrt(1 - power2);
    return optimizer === 'sgd'
      ? { rate: learningRate, epsilon: 0 }
      : { rate: (learningRate * correction) / (1 - power1), epsilon: EPSILON * correction };
  });
}

interface Seen {
  /** [networks * images, classes]. */
  logits: TensorId;
  /** [networks * images]. */
  losses: TensorId;
}

function trainStep(
  device: Device,
  networks: Networks,
  { pixels }: DeviceImages,
  step: Step,
  settings: FitSettings,
  linear: readonly number[],
): Seen {
  let seen: Seen | undefined;
  device.scope(() => {
    const { layers, count } = networks;
    const weights = layers.map((layer) => device.valueOf(layer.weights[0]));
    const biases = layers.map((layer) => device.valueOf(layer.biases[0]));
    const last = layers.length - 1;
    const hasRelu = (l: number) => l < last && !linear.includes(l);
    // Activations of each layer, [networks, images, units], the inputs first and the logits last.
    const units = [device.rows(pixels, step.order)];
    for (const l of layers.keys()) {
      const sums = device.add(device.product(units[l]!, weights[l]!), biases[l]!);
      units.push(hasRelu(l) ? device.relu(sums) : sums);
    }
    const logits = device.reshape(units.at(-1)!, [count * step.images, -1]);
    const { losses, gradient } = device.crossEntropy(logits, step.labels);
    let delta = device.reshape(device.multiply(gradient, device.constant(1 / step.images)), [count, step.images, -1]);
    const gradients = layers.map(() => ({ weights: 0, biases: 0 }));
    for (let l = last; l >= 0; l--) {
      gradients[l] = { weights: device.product(units[l]!, delta, 'a'), biases: device.sum(delta, [1], true) };
      if (l === 0) break;
      const back = device.product(delta, weights[l]!, 'b');
      delta = hasRelu(l - 1) ? device.reluGradient(back, units[l]!) : back;
    }
    for (const [l, gradient] of gradients.entries()) {
      const mask = layers[l]!.mask;
      const decayed = withDecay(device, gradient.weights, weights[l]!, settings);
      gradient.weights = mask === undefined ? decayed : device.multiply(decayed, mask);
    }
    // Held no longer, or the updates would copy them.
    device.release(...weights, ...biases);
    for (const [l, layer] of layers.entries())
      for (const kind of ['weights', 'biases'] as const) {
        if (settings.optimizer === 'sgd')
          device.applyMomentum(layer[kind], gradients[l]![kind], step.rate, device.constant(settings.momentum));
        else
          device.applyAdam(layer[kind], gradients[l]![kind], {
            ...{ beta1: device.constant(BETA1), beta2: device.constant(BETA2) },
            ...{ rate: step.rate, epsilon: step.epsilon },
          });
      }
    seen = { logits, losses };
    return [logits, losses];
  });
  return seen!;
}

/** gradient + l1 sign(w) + l2 w. */
function withDecay(device: Device, gradient: TensorId, weights: TensorId, { l1, l2 }: FitSettings): TensorId {
  let sum = gradient;
  if (l1 !== 0) sum = device.add(sum, device.multiply(device.sign(weights), device.constant(l1)));
  if (l2 !== 0) sum = device.add(sum, device.multiply(weights, device.constant(l2)));
  return sum;
}

/** Of each network over some steps, [networks]. */
interface Sums {
  loss: TensorId;
  correct: TensorId;
}

/** @param steps of equally many images */
function runSteps(
  device: Device,
  networks: Networks,
  images: DeviceImages,
  steps: readonly Step[],
  settings: FitSettings,
  linear: readonly number[],
): Sums {
  const [loss, correct] = device.scope(() => {
    const seen = steps.map((step) => trainStep(device, networks, images, step, settings, linear));
    const labels = device.concatenateIntegers(steps.map((step) => step.labels));
    const correct = device.isCorrect(device.concatenate(seen.map(({ logits }) => logits)), labels);
    const losses = device.concatenate(seen.map((one) => one.losses));
    const shape = [steps.length, networks.count, steps[0]!.images];
    return [losses, correct].map((values) => device.sum(device.reshape(values, shape), [0, 2]));
  });
  return { loss: loss!, correct: correct! };
}
