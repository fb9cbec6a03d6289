/** TensorFlow for Node, as far as the engine uses it: its native binding, which runs any operation of TensorFlow by name. */

/** A tensor of the binding; it lives until `deleteTensor`. */
export type TensorId = number;

export interface OperationAttribute {
  name: string;
  type: number;
  value: boolean | number | string | readonly number[];
}

/** `tf.backend().binding` (tfjs_binding.d.ts of @tensorflow/tfjs-node). */
export interface Binding {
  /**
   * The values may be used in place until the tensor is gone. An int64 is two numbers of an Int32Array.
   * Int32 stays in the memory of the processor, everything else goes to the device.
   */
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array | Uint8Array): TensorId;
  deleteTensor(id: TensorId): void;
  /** Waits for the device, and copies. */
  tensorDataSync(id: TensorId): Float32Array | Int32Array | Uint8Array;
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly TensorId[],
    outputs: number,
  ): { id: TensorId }[];
  getNumOfTensors(): number;
  isUsingGpuDevice(): boolean;
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_UINT8: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

export interface Tfjs {
  version: { 'tfjs-node': string };
  getBackend(): string;
  backend(): { binding: Binding };
}

/** The one for GPUs falls back to the processor, in silence, where it finds none. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/** To be called in the main thread: what another one puts into its environment, TensorFlow does not see. */
export function configureTensorFlow(): void {
  // Warnings and news left out.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  // Products of small matrices on a processor: an epoch of 8 networks in one tensor takes 13 % less, of 16 it takes 22 % less,
  // of one 15 % more.
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
}

/** There is no TensorFlow for Node that works. */
export class TfjsMissing extends Error {
  override readonly name = 'TfjsMissing';
}

/**
 * A process can load one of them, in one of its threads: the binding keeps its state in a global.
 * @param paths what to `require`, tried in turn
 * @throws TfjsMissing
 */
export function loadTfjs(paths: readonly string[] = PACKAGES): Tfjs {
  const reasons: string[] = [];
  for (const path of paths)
    try {
      const tfjs = require(path) as Tfjs;
      if (tfjs.getBackend() === 'tensorflow') return tfjs;
      reasons.push(`${path}: its backend is ${tfjs.getBackend()}`);
    } catch (error) {
      reasons.push(`${path}: ${(error as Error).message.split('\n')[0]}`);
    }
  throw new TfjsMissing(
    `TensorFlow for Node is not installed, or does not work (${reasons.join('; ')}); run \`prunesweep tfjs cpu\`, with a GPU \`prunesweep tfjs gpu\``,
  );
}
