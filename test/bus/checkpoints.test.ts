import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileCheckpoints } from '../../bus/checkpoints';
import { temporaryFolder } from '../idxfiles';

describe('checkpoints', () => {
  it('are what was put last, and are gone with their lineage', () => {
    const folder = temporaryFolder();
    const store = new FileCheckpoints(folder);
    store.put('aa/fit', Uint8Array.from([1, 2]));
    store.put('aa/fit', Uint8Array.from([3]));
    store.put('ab/fit', Uint8Array.from([4]));
    expect([...store.get('aa/fit')!]).toEqual([3]);
    expect(store.get('aa/dense')).toBeUndefined();
    store.remove('aa');
    expect(store.get('aa/fit')).toBeUndefined();
    expect([...store.get('ab/fit')!]).toEqual([4]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('that were changed or cut are refused, with their file and the mend', () => {
    const folder = temporaryFolder();
    const store = new FileCheckpoints(folder);
    store.put('aa/fit', new Uint8Array(1000).fill(7));
    const path = join(folder, readdirSync(folder)[0]!);
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged[500]! ^= 1;
    for (const bytes of [damaged, whole.subarray(0, 999), whole.subarray(0, 10), Buffer.alloc(0)]) {
      writeFileSync(path, bytes);
      expect(() => store.get('aa/fit')).toThrow(
        /aa\.fit\.checkpoint: the checkpoint's checksum does not match its content; delete the file/,
      );
    }
  });
});
