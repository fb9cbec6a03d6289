import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withDiskErrors, writeFileDurably } from '../../bus/files';
import { DiskError } from '../../sweep/errors';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a file written durably', () => {
  it('replaces what was there, and leaves nothing beside it', () => {
    const path = join(folder, 'table.csv');
    writeFileDurably(path, Buffer.from('a longer content'));
    writeFileDurably(path, Buffer.from('short'));
    expect(readFileSync(path, 'utf8')).toBe('short');
    expect(readdirSync(folder)).toEqual(['table.csv']);
  });

  it('can be empty', () => {
    writeFileDurably(join(folder, 'empty'), new Uint8Array(0));
    expect(readFileSync(join(folder, 'empty'))).toHaveLength(0);
  });

  it('that cannot take its place leaves nothing beside it, and says why', () => {
    const path = join(folder, 'trials.csv');
    mkdirSync(path);
    expect(() => writeFileDurably(path, Buffer.from('x'))).toThrow(
      `${path}: EISDIR: there is a folder of this name; remove it or choose another folder`,
    );
    expect(readdirSync(folder)).toEqual(['trials.csv']);
  });

  it('in a place that cannot be names the path and the mend', () => {
    writeFileSync(join(folder, 'file'), '');
    const places: [string, string][] = [
      [join(folder, 'file', 'a'), 'ENOTDIR: a part of the path is not a folder'],
      [join(folder, 'none', 'a'), 'ENOENT: a folder of the path is missing'],
      [join(folder, 'a'.repeat(300)), 'ENAMETOOLONG: the path is too long'],
    ];
    for (const [path, why] of places) {
      const write = () => writeFileDurably(path, Buffer.from('x'));
      expect(write).toThrow(DiskError);
      expect(write).toThrow(`${path}: ${why}`);
    }
  });
});

describe('what the disk says', () => {
  const failing = (code: string) => () => {
    throw Object.assign(new Error(`${code}: as the system words it`), { code });
  };

  it('becomes an error with a mend, for each way in which a disk fails', () => {
    for (const code of ['ENOSPC', 'EROFS', 'EACCES', 'EPERM', 'EDQUOT', 'EIO', 'EFBIG', 'ENOTDIR', 'ENAMETOOLONG']) {
      expect(() => withDiskErrors('out/ledger.ndjson', failing(code))).toThrow(DiskError);
      expect(() => withDiskErrors('out/ledger.ndjson', failing(code))).toThrow(
        new RegExp(`^out/ledger\\.ndjson: ${code}: .+; .+`),
      );
    }
  });

  it('is left as it is when it is no failure of the disk', () => {
    expect(() => withDiskErrors('a', failing('ERR_OTHER'))).toThrow('ERR_OTHER: as the system words it');
  });
});
