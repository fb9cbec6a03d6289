/** Checkpoints as files of one folder: `KEY`, its slash a dot, with a checksum in front. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../sweep/errors';
import type { CheckpointStore } from './bus';
import { withDiskErrors, writeFileDurably } from './files';

const SUM_BYTES = 32;
const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

export class FileCheckpoints implements CheckpointStore {
  constructor(private readonly folder: string) {
    withDiskErrors(folder, () => mkdirSync(folder, { recursive: true }));
  }

  private path(key: string): string {
    return join(this.folder, `${key.replace('/', '.')}.checkpoint`);
  }

  get(key: string): Uint8Array | undefined {
    const path = this.path(key);
    if (!existsSync(path)) return undefined;
    const file = withDiskErrors(path, () => readFileSync(path));
    const content = file.subarray(SUM_BYTES);
    if (file.length < SUM_BYTES || !sumOf(content).equals(file.subarray(0, SUM_BYTES)))
      throw new DataError(
        `${path}: the checkpoint's checksum does not match its content; delete the file, and the next run trains its lineage from the checkpoint before it or from the start`,
      );
    return content;
  }

  put(key: string, bytes: Uint8Array): void {
    writeFileDurably(this.path(key), Buffer.concat([sumOf(bytes), bytes]));
  }

  remove(lineage: string): void {
    for (const name of readdirSync(this.folder))
      if (name.startsWith(`${lineage}.`)) rmSync(join(this.folder, name), { force: true });
  }
}
