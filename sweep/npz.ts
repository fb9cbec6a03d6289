/** Arrays in NumPy's .npz: a zip of .npy files (format 1.0), stored, with a fixed date, so that equal arrays are equal bytes. */
import { unzipSync, type Zippable, zipSync } from 'fflate';
import { DataError } from './errors';

export interface NamedArray {
  name: string;
  shape: number[];
  /** Row-major. */
  data: Float32Array;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
const ALIGNMENT = 64;

function writeNpy({ shape, data }: NamedArray): Uint8Array {
  const dimensions = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${dimensions}, }`;
  const length = Math.ceil((10 + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(length + data.byteLength);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 11)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return bytes;
}

const MEND = 'remove the file and make it again';

/** @returns nothing when the bytes are not a whole float32 array in .npy format 1.0 */
function readNpy(name: string, bytes: Uint8Array): NamedArray | undefined {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const headerEnd = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, headerEnd));
  const dimensions = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (dimensions === undefined || !header.includes("'<f4'")) return undefined;
  const shape = dimensions
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const data = bytes.slice(headerEnd);
  if (data.length !== 4 * shape.reduce((product, size) => product * size, 1)) return undefined;
  return { name, shape, data: new Float32Array(data.buffer) };
}

export function writeNpz(arrays: readonly NamedArray[]): Uint8Array {
  const files: Zippable = {};
  // The zip's date is in local time, and so is this one: the same fields in every time zone.
  for (const array of arrays) files[`${array.name}.npy`] = [writeNpy(array), { level: 0, mtime: new Date(1980, 0, 1) }];
  return zipSync(files);
}

function unzip(bytes: Uint8Array, source: string): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes);
  } catch (error) {
    throw new DataError(`${source}: not a whole zip file (${(error as Error).message}); ${MEND}`);
  }
}

/**
 * @param source what the error calls the bytes: their path, where they have one
 * @throws DataError when the bytes are not an .npz of whole float32 arrays
 */
export function readNpz(bytes: Uint8Array, source = '.npz'): NamedArray[] {
  return Object.entries(unzip(bytes, source)).map(([file, content]) => {
    const array = readNpy(file.replace(/\.npy$/, ''), content);
    if (array === undefined)
      throw new DataError(`${source}: ${file} is not a whole float32 array in .npy format 1.0; ${MEND}`);
    return array;
  });
}
