/**
 * The engine for GPUs, and for processors without WebAssembly's SIMD: TensorFlow, many networks of one shape in one tensor.
 * The same science as the wasm engine's, not the same bits.
 */
import type { SharedImages, SubsetName } from '../../data/images';
import type { Parameters } from '../../network';
import { Diverged, type Engine, type EvaluationOptions, type Fit, type FitState, type Measurement } from '../engine';
import type { Binding } from './binding';
import { Device } from './device';
import { trainEpoch } from './epoch';
import { evaluate } from './evaluate';
import { ImageStore } from './images';
import { Networks } from './networks';

/** What became of one of those that did something together. */
export type Outcome<T> = { value: T } | { error: unknown };

export interface EvaluationRequest {
  sizes: readonly number[];
  parameters: Parameters;
  subset: SubsetName;
  options: EvaluationOptions;
}

/** What a network must share with others to train with them: its start and masks are its own. */
export const fitKey = ({ sizes, settings, linear }: Fit): string => JSON.stringify([sizes, settings, linear ?? []]);
export const evaluationKey = ({ sizes, subset, options }: EvaluationRequest): string =>
  JSON.stringify([sizes, subset, options]);

export class TfjsEngine implements Engine {
  readonly name = 'tfjs';
  private readonly device: Device;
  private readonly store: ImageStore;

  constructor(images: SharedImages, binding: Binding) {
    this.device = new Device(binding);
    this.store = new ImageStore(this.device, images);
  }

  /** Live tensors of the process. */
  get tensors(): number {
    return this.device.tensors;
  }

  fit(fit: Fit): FitState {
    return unwrapped(this.fitTogether([fit])[0]!);
  }

  evaluate(
    sizes: readonly number[],
    parameters: Parameters,
    subset: SubsetName,
    options: EvaluationOptions = {},
  ): Measurement {
    return unwrapped(this.evaluateTogether([{ sizes, parameters, subset, options }])[0]!);
  }

  /**
   * One that fails, diverges or is ended by its `onEpoch` leaves, and the others go on. One that has more epochs behind it
   * joins when the others have come so far.
   * @param fits of one `fitKey`
   */
  fitTogether(fits: readonly Fit[]): Outcome<FitState>[] {
    const outcomes: Outcome<FitState>[] = fits.map(({ start }) => ({ value: start }));
    const { epochs } = fits[0]!.settings;
    let states = new Map(fits.flatMap((fit, i) => (fit.start.epoch < epochs ? [[i, fit.start] as const] : [])));
    while (states.size > 0) {
      const epoch = Math.min(...[...states.values()].map((state) => state.epoch));
      const together = [...states].filter(([, state]) => state.epoch === epoch);
      const next = Math.min(epochs, ...[...states.values()].map((state) => state.epoch).filter((e) => e > epoch));
      const members = together.map(([index, start]) => ({ index, fit: fits[index]!, start }));
      const { left, reached } = this.trainUntil(next, members);
      for (const [index, error] of left) outcomes[index] = { error };
      for (const [index, state] of reached) outcomes[index] = { value: state };
      states = new Map(
        [...states].flatMap(([index, state]) => {
          if (left.has(index)) return [];
          const now = reached.get(index) ?? state;
          return now.epoch < epochs ? [[index, now] as const] : [];
        }),
      );
    }
    return outcomes;
  }

  /**
   * Trains networks that have equally many epochs behind them until that epoch is done, or until one of them leaves.
   * @returns who left, and what the others have become
   */
  private trainUntil(until: number, members: readonly { index: number; fit: Fit; start: FitState }[]) {
    const { device } = this;
    const { sizes, settings, linear = [] } = members[0]!.fit;
    const images = this.store.get('train');
    const stepsAnEpoch = Math.ceil(images.count / Math.min(settings.batchSize, images.count));
    const left = new Map<number, unknown>();
    const networks = new Networks(
      device,
      sizes,
      members.map(({ start }) => start),
      members.map(({ fit }) => fit.masks),
    );
    try {
      let epoch = members[0]!.start.epoch;
      let states: FitState[] | undefined;
      while (epoch < until && left.size === 0) {
        const orders = members.map(({ fit }) => fit.order(epoch));
        const results = trainEpoch(device, networks, images, orders, settings, linear, epoch * stepsAnEpoch);
        epoch++;
        states = undefined;
        const read = () => {
          states ??= networks.read(epoch);
          return states;
        };
        for (const [i, { index, fit }] of members.entries())
          try {
            if (!Number.isFinite(results[i]!.loss)) throw new Diverged(epoch);
            fit.onEpoch?.({ epoch, ...results[i]!, snapshot: () => read()[i]! });
          } catch (error) {
            left.set(index, error);
          }
      }
      states ??= networks.read(epoch);
      const reached = members.flatMap(({ index }, i) => (left.has(index) ? [] : [[index, states![i]!] as const]));
      return { left, reached: new Map(reached) };
    } finally {
      networks.free();
    }
  }

  /** @param requests of one `evaluationKey` */
  evaluateTogether(requests: readonly EvaluationRequest[]): Outcome<Measurement>[] {
    const { sizes, subset, options } = requests[0]!;
    const networks = requests.map(({ parameters }) => parameters);
    const images = this.store.get(subset);
    return evaluate(this.device, sizes, networks, images, options.linear ?? [], options.images).map((value) =>
      Number.isFinite(value.loss) ? { value } : { error: new Diverged(0) },
    );
  }
}

export function unwrapped<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
