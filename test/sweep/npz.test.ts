import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from '../../sweep/npz';

const arrays = [
  { name: 'fc1.weight', shape: [2, 3], data: Float32Array.from([1, -2, 3.5, 0, 1e-30, 5]) },
  { name: 'fc1.bias', shape: [3], data: Float32Array.from([0, -0, 7]) },
];

describe('an .npz file', () => {
  it('gives its arrays back', () => {
    expect(readNpz(writeNpz(arrays))).toEqual(arrays);
  });

  it('is the same bytes for the same arrays, in any time zone', () => {
    const zone = process.env.TZ;
    const hashes = ['UTC', 'Asia/Tokyo', 'America/Los_Angeles'].map((name) => {
      process.env.TZ = name;
      return createHash('sha256').update(writeNpz(arrays)).digest('hex');
    });
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
    expect(new Set(hashes)).toEqual(new Set(['7f3a661be3fcca1066c73fff89905810659d31cbae3a8b27f5a3517e18dfdc49']));
  });

  it('has arrays on a boundary of 64 bytes, as NumPy asks', () => {
    const bytes = writeNpz([arrays[1]!]);
    const start = Buffer.from(bytes).indexOf(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]));
    expect((10 + new DataView(bytes.buffer, bytes.byteOffset + start).getUint16(8, true)) % 64).toBe(0);
  });

  it('that is something else is refused', () => {
    expect(() => readNpz(Uint8Array.from([1, 2, 3]))).toThrow();
  });
});
