/** Checkpoints as files of one folder, `LINEAGE.NAME.checkpoint`, with a checksum in front. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../sweep/errors';
import { CHECKPOINT_NAMES, type CheckpointName, type Checkpoints } from './bus';
import { withDiskErrors, writeFileDurably } from './files';

const SUM_BYTES = 32;
const sumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

function readChecked(path: string): Uint8Array {
  const file = withDiskErrors(path, () => readFileSync(path));
  const content = file.subarray(SUM_BYTES);
  if (file.length < SUM_BYTES || !sumOf(content).equals(file.subarray(0, SUM_BYTES)))
    throw new DataError(
      `${path}: the checkpoint's checksum does not match its content; delete the file, and the next run trains its lineage from the checkpoint before it or from the start`,
    );
  return content;
}

export class FileCheckpoints implements Checkpoints {
  constructor(private readonly folder: string) {
    withDiskErrors(folder, () => mkdirSync(folder, { recursive: true }));
  }

  private path(lineage: string, name: CheckpointName): string {
    return join(this.folder, `${lineage}.${name}.checkpoint`);
  }

  async load(lineage: string): Promise<Map<CheckpointName, Uint8Array>> {
    const there = CHECKPOINT_NAMES.filter((name) => existsSync(this.path(lineage, name)));
    return new Map(there.map((name) => [name, readChecked(this.path(lineage, name))]));
  }

  async save(lineage: string, name: CheckpointName, bytes: Uint8Array): Promise<void> {
    writeFileDurably(this.path(lineage, name), Buffer.concat([sumOf(bytes), bytes]));
  }

  async remove(lineage: string): Promise<void> {
    for (const name of CHECKPOINT_NAMES) rmSync(this.path(lineage, name), { force: true });
  }
}
