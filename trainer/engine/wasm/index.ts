/** The engine on CPUs: WebAssembly SIMD, one thread a network, the same bits on every machine. */
import type { Evaluation } from '../../../sweep/record';
import type { SharedImages, Subset, SubsetName } from '../../data/images';
import { copyParameters, countSurvivors, type Masks, type Parameters, survivors, zeroParameters } from '../../network';
import { exp, log } from '../elementary';
import { Diverged, type Engine, type EvaluationOptions, type Fit, type FitState, type Measurement } from '../engine';
import { Arena } from './arena';
import { DenseNetwork, type Logits } from './dense';
import { instantiate, type Kernels } from './kernels';
import { CONSTANT, PIXEL_SCALE } from './kernels/memory';
import type { KernelSettings } from './kernels/optimiser';
import { Schedule } from './schedule';
import { SparseNetwork } from './sparse';

/**
 * Below this share of surviving weights a network is trained as lists of survivors, from it on as dense matrices with a
 * mask. Measured: the two cost the same at 26 % of 300-100, 22 % of 1200-100, 30 % of 300-300. It is fixed, since the two
 * sum weight gradients in different orders: dense over the images from first to last, lists as `sampled.ts` says. All
 * other sums go over the same terms from first to last, but for the blocks that inputs are cut into.
 */
export const SPARSE_BELOW = 0.25;

/** How a network is laid out: whole, with some weights held at zero, or as lists of what is left. */
export type Form = 'dense' | 'masked' | 'lists';

/** @param masks survivors; all weights when absent */
export function formOf(masks: Masks | undefined): Form {
  if (masks === undefined) return 'dense';
  const weights = sum(masks.map((mask) => mask.length));
  return sum(countSurvivors(masks)) / weights < SPARSE_BELOW ? 'lists' : 'masked';
}

const EVALUATION_BATCH = 128;

/** Images whose likelihoods are multiplied before a logarithm is taken: 1e-12 to this power is a float64. */
const TOGETHER = 16;

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

function readState(network: DenseNetwork | SparseNetwork, sizes: readonly number[], epoch: number): FitState {
  const [parameters, first, second] = [zeroParameters(sizes), zeroParameters(sizes), zeroParameters(sizes)];
  network.read(0, parameters);
  network.read(1, first);
  network.read(2, second);
  return { parameters, first, second, epoch };
}

export class WasmEngine implements Engine {
  readonly name = 'wasm';
  private readonly arena = new Arena();
  private readonly instances = new Map<string, Kernels>();

  constructor(private readonly images: SharedImages) {
    this.arena.splat(CONSTANT.pixelScale, PIXEL_SCALE);
  }

  /** Overridden where a test watches which kernels run. */
  protected kernels(settings: KernelSettings): Kernels {
    const key = JSON.stringify(settings);
    const known = this.instances.get(key);
    if (known !== undefined) return known;
    const made = instantiate(settings, this.arena.memory, this.images.memory);
    this.instances.set(key, made);
    return made;
  }

  /** The value of each pixel byte as an input. */
  private scaleTable(): number {
    const scale = this.arena.allocate(4 * 256);
    this.arena.f32(scale, 256).set(Array.from({ length: 256 }, (_, byte) => byte * PIXEL_SCALE));
    return scale;
  }

  fit(fit: Fit): FitState {
    const { sizes, settings, masks, linear = [], start } = fit;
    if (start.epoch >= settings.epochs) return { ...start, parameters: copyParameters(start.parameters) };
    const { arena, images } = this;
    const train = images.subsets.train;
    const batch = Math.min(settings.batchSize, train.count);
    const form = formOf(masks);
    const masked = form === 'masked';
    arena.reset();
    const schedule = new Schedule(arena, settings, start.epoch * Math.ceil(train.count / batch));
    const kernels = this.kernels({ optimizer: settings.optimizer, decay: schedule.decay, masked });
    const scale = this.scaleTable();
    const order = arena.allocate(4 * train.count);
    const network =
      masks !== undefined && form === 'lists'
        ? new SparseNetwork(arena, kernels, images, sizes, batch, masks, 'training', linear)
        : new DenseNetwork(arena, kernels, images, scale, sizes, batch, { moments: true, masked }, linear);
    network.write(0, start.parameters);
    network.write(1, start.first);
    network.write(2, start.second);
    if (masks !== undefined && network instanceof DenseNetwork) network.writeMasks(masks);

    for (let epoch = start.epoch; epoch < settings.epochs; epoch++) {
      arena.u32(order, train.count).set(fit.order(epoch));
      const { loss, correct } = this.trainEpoch(network, schedule, order, batch);
      if (!Number.isFinite(loss)) throw new Diverged(epoch + 1);
      fit.onEpoch?.({
        epoch: epoch + 1,
        loss: loss / train.count,
        accuracy: correct / train.count,
        snapshot: () => readState(network, sizes, epoch + 1),
      });
    }
    return readState(network, sizes, settings.epochs);
  }

  /** @returns summed over the images, as their batches were seen; the loss is not a number when one was not */
  private trainEpoch(
    network: DenseNetwork | SparseNetwork,
    schedule: Schedule,
    order: number,
    batch: number,
  ): { loss: number; correct: number } {
    const train = this.images.subsets.train;
    let [loss, correct] = [0, 0];
    for (let done = 0; done < train.count; done += batch) {
      const count = Math.min(batch, train.count - done);
      const at = order + 4 * done;
      schedule.begin(count);
      network.forward(train, at, count);
      network.backward(train, at, count);
      network.update(count, schedule);
      const [chosen, peak] = [this.arena.f32(network.chosen, count), this.arena.f32(network.peak, count)];
      let likelihood = 1;
      for (let i = 0; i < count; i++) {
        // No probability is above zero once a logit is infinite or not a number.
        if (!(peak[i]! > 0)) loss = Number.NaN;
        likelihood *= Math.max(chosen[i]! * count, 1e-12);
        if (chosen[i] === peak[i]) correct++;
        if (i % TOGETHER === TOGETHER - 1 || i === count - 1) {
          loss -= log(likelihood);
          likelihood = 1;
        }
      }
    }
    return { loss, correct };
  }

  evaluate(
    sizes: readonly number[],
    parameters: Parameters,
    subset: SubsetName,
    options: EvaluationOptions = {},
  ): Measurement {
    const { arena } = this;
    const from = this.images.subsets[subset];
    if (from === undefined) throw new Error(`this data set has no ${subset} images`);
    const kernels = this.kernels({ optimizer: 'adam', decay: false, masked: false });
    arena.reset();
    const scale = this.scaleTable();
    const images = options.images ?? Uint32Array.from({ length: from.count }, (_, image) => image);
    const order = arena.allocate(4 * images.length);
    arena.u32(order, images.length).set(images);
    const { linear = [] } = options;
    const masks = survivors(parameters);
    const network =
      formOf(masks) === 'lists'
        ? new SparseNetwork(arena, kernels, this.images, sizes, EVALUATION_BATCH, masks, 'evaluation', linear)
        : new DenseNetwork(
            ...[arena, kernels, this.images, scale, sizes, EVALUATION_BATCH],
            ...[{ moments: false, masked: false }, linear],
          );
    network.write(0, parameters);
    const result: Measurement = { correct: 0, images: images.length, loss: 0, activeMean: [] };
    const active = sizes.slice(1, -1).map(() => 0);
    for (let done = 0; done < images.length; done += EVALUATION_BATCH) {
      const count = Math.min(EVALUATION_BATCH, images.length - done);
      network.forward(from, order + 4 * done, count);
      for (const [layer, units] of network.activeCounts(count).entries()) active[layer]! += units;
      this.judge(from, images, done, count, sizes.at(-1)!, network.logitsView(count), result);
    }
    if (!Number.isFinite(result.loss)) throw new Diverged(0);
    result.loss /= images.length;
    result.activeMean = active.map((units) => units / images.length);
    return result;
  }

  /** Adds a batch's correct images (the first of equal logits counts) and losses to the result. */
  private judge(
    subset: Subset,
    images: ArrayLike<number>,
    first: number,
    count: number,
    classes: number,
    { values, perImage, perClass }: Logits,
    result: Evaluation,
  ): void {
    const labels = new Uint8Array(this.images.memory.buffer, subset.labels, subset.count);
    for (let i = 0; i < count; i++) {
      const label = labels[images[first + i]!]!;
      const at = i * perImage;
      let best = 0;
      for (let c = 1; c < classes; c++) if (values[at + c * perClass]! > values[at + best * perClass]!) best = c;
      if (best === label) result.correct++;
      const largest = values[at + best * perClass]!;
      let total = 0;
      for (let c = 0; c < classes; c++) total += exp(values[at + c * perClass]! - largest);
      result.loss += log(total) + largest - values[at + label * perClass]!;
    }
  }
}
