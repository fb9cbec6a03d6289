import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../sweep/errors';
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

  it('that is cut off anywhere, or is something else, is refused by name', () => {
    const whole = writeNpz(arrays);
    const damaged = [0, 3, 100, whole.length >> 1, whole.length - 1].map((length) => whole.slice(0, length));
    for (const bytes of [...damaged, new Uint8Array(500).fill(65)]) {
      expect(() => readNpz(bytes, 'networks/a.npz')).toThrow(DataError);
      expect(() => readNpz(bytes, 'networks/a.npz')).toThrow(
        /^networks\/a\.npz: not a whole zip file .*; remove the file/,
      );
    }
  });

  it('whose array holds more or less than its shape says is refused by name', () => {
    for (const shape of [[2, 2], [2, 4], [7]])
      expect(() => readNpz(writeNpz([{ ...arrays[0]!, shape }]), 'networks/a.npz')).toThrow(
        'networks/a.npz: fc1.weight.npy is not a whole float32 array in .npy format 1.0; remove the file and make it again',
      );
  });

  it('gives back arrays of any shape and any values', () => {
    const array = fc
      .array(fc.integer({ min: 0, max: 9 }), { maxLength: 3 })
      .chain((shape) =>
        fc
          .float32Array({ minLength: shape.reduce((a, b) => a * b, 1), maxLength: shape.reduce((a, b) => a * b, 1) })
          .map((data) => ({ name: 'fc1.weight', shape, data })),
      );
    fc.assert(
      fc.property(array, (one) => {
        expect(readNpz(writeNpz([one]))).toEqual([one]);
      }),
    );
  });
});
