/** Arrays in NumPy's .npz: a zip of .npy files (format 1.0), stored, with a fixed date, so that equal arrays are equal bytes. */
import { unzipSync, type Zippable, zipSync } from 'fflate';

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

function readNpy(name: string, bytes: Uint8Array): NamedArray {
  const headerEnd = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, headerEnd));
  const shape = /'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (MAGIC.some((byte, i) => bytes[i] !== byte) || shape === undefined || !header.includes("'<f4'"))
    throw new Error(`${name}: not a float32 array in .npy format 1.0`);
  const copy = bytes.slice(headerEnd);
  return {
    name,
    shape: shape
      .split(',')
      .filter((part) => part.trim() !== '')
      .map(Number),
    data: new Float32Array(copy.buffer, 0, copy.length / 4),
  };
}

export function writeNpz(arrays: readonly NamedArray[]): Uint8Array {
  const files: Zippable = {};
  // The zip's date is in local time, and so is this one: the same fields in every time zone.
  for (const array of arrays) files[`${array.name}.npy`] = [writeNpy(array), { level: 0, mtime: new Date(1980, 0, 1) }];
  return zipSync(files);
}

/** @throws when the bytes are not an .npz of float32 arrays */
export function readNpz(bytes: Uint8Array): NamedArray[] {
  return Object.entries(unzipSync(bytes)).map(([file, content]) => readNpy(file.replace(/\.npy$/, ''), content));
}
