/** IDX files, the format of MNIST (yann.lecun.com): a magic number, big-endian sizes, then bytes; plain or gzipped. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { DataError } from '../../sweep/errors';

/** 0x08: unsigned bytes; 3 or 1: the number of dimensions. */
const IMAGES_MAGIC = 0x00000803;
const LABELS_MAGIC = 0x00000801;
/** A gzipped file that unpacks to more than this is refused before it fills the memory. */
const MOST_BYTES = 2 ** 31 - 1;

const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;

function readBytes(path: string, field: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'this is a folder' : message;
    throw new DataError(`${field}: ${path}: ${reason}; give the path of an IDX file (relative to the sweep file)`);
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_BYTES });
  } catch (error) {
    throw new DataError(`${field}: ${path}: gzip: ${(error as Error).message}; compress or download it again`);
  }
}

function checked(path: string, field: string, magic: number, kind: string): Buffer {
  const bytes = readBytes(path, field);
  const dimensions = magic & 0xff;
  if (bytes.length < 4 + 4 * dimensions)
    throw new DataError(
      `${field}: ${path}: ${bytes.length} bytes are too few for the header of an IDX file of ${kind}; it is cut off or not IDX`,
    );
  const found = bytes.readUInt32BE(0);
  if (found !== magic)
    throw new DataError(
      `${field}: ${path}: the magic number is ${hex(found)}; an IDX file of ${kind} begins with ${hex(magic)}. Are two paths exchanged?`,
    );
  const sizes = [...Array(dimensions).keys()].map((i) => bytes.readUInt32BE(4 + 4 * i));
  const expected = 4 + 4 * dimensions + sizes.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected)
    throw new DataError(
      `${field}: ${path}: the header says ${sizes.join(' x ')}, that is ${expected} bytes, but there are ${bytes.length}; the file is ${bytes.length < expected ? 'cut off' : 'too long'}`,
    );
  return bytes;
}

/** @returns pixels [count, rows x columns] */
export function readIdxImages(path: string, field: string): { count: number; inputs: number; pixels: Uint8Array } {
  const bytes = checked(path, field, IMAGES_MAGIC, 'images');
  const [count, rows, columns] = [4, 8, 12].map((at) => bytes.readUInt32BE(at)) as [number, number, number];
  if (count === 0) throw new DataError(`${field}: ${path}: holds no images`);
  const inputs = rows * columns;
  if (inputs < 1 || inputs > 65536)
    throw new DataError(`${field}: ${path}: images of ${rows} x ${columns} pixels; 1 to 65,536 pixels can be used`);
  return { count, inputs, pixels: bytes.subarray(16) };
}

/** @returns one label a byte */
export function readIdxLabels(path: string, field: string): Uint8Array {
  return checked(path, field, LABELS_MAGIC, 'labels').subarray(8);
}
