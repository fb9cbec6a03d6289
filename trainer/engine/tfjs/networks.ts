/** Networks of one shape as one: their parameters and moments are variables, [networks, in, out] and [networks, 1, out]. */
import type { Masks, Parameters } from '../../network';
import type { FitState } from '../engine';
import type { TensorId } from './binding';
import type { Device, Variable } from './device';

/** What training changes: the values, and the optimiser's first and second moments. */
type Trained = readonly [Variable, Variable, Variable];

interface Layer {
  weights: Trained;
  biases: Trained;
  /** Of the weights, [networks, in, out], 1 for a survivor; absent when no network has one. */
  mask?: TensorId;
}

const concatenated = (arrays: readonly ArrayLike<number>[]): Float32Array => {
  const all = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
};

/** One tensor of each layer's weights and one of its biases. */
export function stack(device: Device, sizes: readonly number[], networks: readonly Parameters[]) {
  return sizes.slice(1).map((outputs, l) => ({
    weights: device.floats(
      [networks.length, sizes[l]!, outputs],
      concatenated(networks.map(({ weights }) => weights[l]!)),
    ),
    biases: device.floats([networks.length, 1, outputs], concatenated(networks.map(({ biases }) => biases[l]!))),
  }));
}

/** The networks' parts of what was stacked. */
function split(values: Float32Array, networks: number): Float32Array[] {
  const each = values.length / networks;
  return Array.from({ length: networks }, (_, i) => values.slice(i * each, (i + 1) * each));
}

const PARTS = ['parameters', 'first', 'second'] as const;

export class Networks {
  readonly layers: Layer[];
  readonly count: number;

  constructor(
    private readonly device: Device,
    sizes: readonly number[],
    states: readonly Pick<FitState, (typeof PARTS)[number]>[],
    masks: readonly (Masks | undefined)[],
  ) {
    this.count = states.length;
    const trained = (shape: number[], array: (parameters: Parameters) => Float32Array): Trained => {
      const [values, first, second] = PARTS.map((part) =>
        device.variable(shape, concatenated(states.map((state) => array(state[part])))),
      );
      return [values!, first!, second!];
    };
    const isMasked = masks.some((mask) => mask !== undefined);
    this.layers = sizes.slice(1).map((outputs, l) => {
      const [inputs, shape] = [sizes[l]!, [this.count, sizes[l]!, outputs]];
      const ones = () => new Uint8Array(inputs * outputs).fill(1);
      const mask = () => device.floats(shape, concatenated(masks.map((one) => one?.[l] ?? ones())));
      return {
        weights: trained(shape, ({ weights }) => weights[l]!),
        biases: trained([this.count, 1, outputs], ({ biases }) => biases[l]!),
        ...(isMasked ? { mask: mask() } : {}),
      };
    });
  }

  /** Copies of what each network has become. */
  read(epoch: number): FitState[] {
    const none = (): Parameters => ({ weights: [], biases: [] });
    const states = Array.from({ length: this.count }, () => ({
      ...{ parameters: none(), first: none(), second: none(), epoch },
    }));
    for (const [l, layer] of this.layers.entries())
      for (const kind of ['weights', 'biases'] as const)
        for (const [p, part] of PARTS.entries()) {
          const value = this.device.valueOf(layer[kind][p]!);
          for (const [i, own] of split(this.device.read(value), this.count).entries()) states[i]![part][kind][l] = own;
          this.device.release(value);
        }
    return states;
  }

  free(): void {
    for (const { weights, biases, mask } of this.layers) {
      for (const variable of [...weights, ...biases]) this.device.free(variable);
      if (mask !== undefined) this.device.release(mask);
    }
  }
}
