import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileCheckpoints } from '../../bus/checkpoints';
import { temporaryFolder } from '../idxfiles';

describe('checkpoints in files', () => {
  it('that were changed or cut are refused, with their file and the mend', async () => {
    const folder = temporaryFolder();
    const store = new FileCheckpoints(folder);
    await store.save('aa', 'fit', new Uint8Array(1000).fill(7));
    const path = join(folder, readdirSync(folder)[0]!);
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged[500]! ^= 1;
    for (const bytes of [damaged, whole.subarray(0, 999), whole.subarray(0, 10), Buffer.alloc(0)]) {
      writeFileSync(path, bytes);
      await expect(store.load('aa')).rejects.toThrow(
        /aa\.fit\.checkpoint: the checkpoint's checksum does not match its content; delete the file/,
      );
    }
  });
});
