/** Networks that are kept: one .npz a trial, readable by numpy.load. */
import { join } from 'node:path';
import { DataError } from '../sweep/errors';
import { readNpz, writeNpz } from '../sweep/npz';
import type { Parameters } from './network';

export const networkPath = (folder: string, trialId: string) => join(folder, `${trialId}.npz`);

/** fc1.weight [in, out] and fc1.bias [out], float32, and so on for each layer. */
export function networkBytes({ weights, biases }: Parameters, sizes: readonly number[]): Uint8Array {
  return writeNpz(
    weights.flatMap((weight, l) => [
      { name: `fc${l + 1}.weight`, shape: [sizes[l]!, sizes[l + 1]!], data: weight },
      { name: `fc${l + 1}.bias`, shape: [sizes[l + 1]!], data: biases[l]! },
    ]),
  );
}

/** @throws DataError when the arrays are not those of a network of these sizes */
export function parseNetwork(bytes: Uint8Array, sizes: readonly number[], path: string): Parameters {
  const arrays = new Map(readNpz(bytes, path).map((array) => [array.name, array]));
  const take = (name: string, shape: number[]): Float32Array => {
    const array = arrays.get(name);
    if (array === undefined || array.shape.join() !== shape.join())
      throw new DataError(
        `${path}: ${name} is ${array === undefined ? 'missing' : `[${array.shape}]`}, not [${shape}]`,
      );
    return array.data;
  };
  const layers = sizes.slice(1).map((outputs, l) => ({ name: `fc${l + 1}`, inputs: sizes[l]!, outputs }));
  return {
    weights: layers.map(({ name, inputs, outputs }) => take(`${name}.weight`, [inputs, outputs])),
    biases: layers.map(({ name, outputs }) => take(`${name}.bias`, [outputs])),
  };
}
