/** Files that are there as a whole or not at all, and disk errors that say what to do. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DiskError } from '../sweep/errors';

const MENDS: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space and run again, nothing that was recorded is lost',
  EDQUOT: 'the disk quota is used up; free some space and run again, nothing that was recorded is lost',
  EROFS: 'the file system is read-only; choose another folder',
  EACCES: 'permission denied; choose a folder that you may write to',
  EPERM: 'not permitted; choose a folder that you may write to',
  EFBIG: 'the file may not grow any further (a limit of the system or the shell); raise the limit and run again',
  EIO: 'the disk fails to read or write; check the disk',
  ENOTDIR: 'a part of the path is not a folder; choose another folder',
  EEXIST: 'there is a file of this name; choose another folder',
  EISDIR: 'there is a folder of this name; remove it or choose another folder',
  ENOENT: 'a folder of the path is missing or cannot be made; choose another folder',
  ENAMETOOLONG: 'the path is too long; choose a shorter one',
  EMFILE: 'too many open files; raise the limit (ulimit -n) and run again',
};

/** Does it, and turns what the disk says into a DiskError that names the path and the mend. */
export function withDiskErrors<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const mend = code === undefined ? undefined : MENDS[code];
    if (mend === undefined) throw error;
    throw new DiskError(`${path}: ${code}: ${mend}`);
  }
}

/** Makes a folder's entries durable. */
export function syncFolder(folder: string): void {
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Writes a file beside its place and moves it there: a kill leaves the old content or the new, and what returns is on the disk. */
export function writeFileDurably(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  withDiskErrors(path, () => {
    try {
      const file = openSync(temporary, 'w');
      try {
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncFolder(dirname(path));
  });
}
