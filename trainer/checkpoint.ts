/** Checkpoints as bytes: a line of JSON that says what follows, then the arrays, one after another. */
import type { FitState } from './engine/engine';
import { type Masks, type Parameters, zeroParameters } from './network';

/** A network between two steps of its lineage. */
export interface NetworkCheckpoint {
  /** `dense`, or the id of the trial that it is the network of. */
  step: string;
  parameters: Parameters;
  masks: Masks;
  thresholds: number[];
  /** Seconds that its own training took. */
  seconds: number;
  /** The engine, of a dense network; absent in what was written before other pods' engines went on from it. */
  trainedBy?: string;
}

/** A network within a step: so many epochs of a phase (see `recovery.ts`) are done. */
export interface FitCheckpoint {
  step: string;
  phase: number;
  state: FitState;
  masks: Masks;
  thresholds: number[];
  seconds: number;
}

const arraysOf = ({ weights, biases }: Parameters) => [...weights, ...biases];

function encode(header: object, arrays: (Float32Array | Uint8Array)[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(`${JSON.stringify(header)}\n`)];
  for (const array of arrays) parts.push(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  return Buffer.concat(parts);
}

/** Reads the arrays back into ones of the same lengths. */
function decode<Header>(bytes: Uint8Array, arrays: (Float32Array | Uint8Array)[]): Header {
  const headerEnd = bytes.indexOf(10);
  let at = headerEnd + 1;
  for (const array of arrays) {
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes.subarray(at, at + array.byteLength));
    at += array.byteLength;
  }
  return JSON.parse(Buffer.from(bytes.subarray(0, headerEnd)).toString()) as Header;
}

const zeroMasks = (sizes: readonly number[]): Masks =>
  zeroParameters(sizes).weights.map((w) => new Uint8Array(w.length));

export function encodeNetwork({ parameters, masks, ...header }: NetworkCheckpoint): Uint8Array {
  return encode(header, [...arraysOf(parameters), ...masks]);
}

export function decodeNetwork(bytes: Uint8Array, sizes: readonly number[]): NetworkCheckpoint {
  const parameters = zeroParameters(sizes);
  const masks = zeroMasks(sizes);
  type Header = Omit<NetworkCheckpoint, 'parameters' | 'masks'>;
  return { ...decode<Header>(bytes, [...arraysOf(parameters), ...masks]), parameters, masks };
}

export function encodeFit({ state, masks, ...header }: FitCheckpoint): Uint8Array {
  const { epoch, parameters, first, second } = state;
  return encode({ ...header, epoch }, [...[parameters, first, second].flatMap(arraysOf), ...masks]);
}

export function decodeFit(bytes: Uint8Array, sizes: readonly number[]): FitCheckpoint {
  const [parameters, first, second] = [zeroParameters(sizes), zeroParameters(sizes), zeroParameters(sizes)];
  const masks = zeroMasks(sizes);
  type Header = Omit<FitCheckpoint, 'state' | 'masks'> & { epoch: number };
  const { epoch, ...header } = decode<Header>(bytes, [...[parameters, first, second].flatMap(arraysOf), ...masks]);
  return { ...header, state: { parameters, first, second, epoch }, masks };
}
