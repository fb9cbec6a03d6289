/** IDX files of made-up images, written to a folder of the test's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';
import { RandomStream } from '../trainer/random';

/** A folder that is gone when the test is. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function header(magic: number, ...sizes: number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * sizes.length);
  bytes.writeUInt32BE(magic, 0);
  for (const [i, size] of sizes.entries()) bytes.writeUInt32BE(size, 4 + 4 * i);
  return bytes;
}

export const idxImages = (count: number, rows: number, columns: number, pixels: Uint8Array) =>
  Buffer.concat([header(0x803, count, rows, columns), pixels]);
export const idxLabels = (labels: Uint8Array) => Buffer.concat([header(0x801, labels.length), labels]);

export interface IdxFolder {
  trainImages: string;
  trainLabels: string;
  testImages: string;
  testLabels: string;
}

/** Images of `side` x `side` pixels whose class is where their bright bar is, under noise: learnable, and not trivial. */
export function writeIdxFolder(
  folder: string,
  {
    side = 20,
    classes = 3,
    train = 1500,
    test = 300,
    gzip = false,
  }: Partial<Record<'side' | 'classes' | 'train' | 'test', number>> & { gzip?: boolean } = {},
): IdxFolder {
  const stream = new RandomStream(11, 'idx', side, classes);
  const save = (name: string, bytes: Buffer) => {
    const path = join(folder, gzip ? `${name}.gz` : name);
    writeFileSync(path, gzip ? gzipSync(bytes) : bytes);
    return path;
  };
  const make = (part: string, count: number) => {
    const labels = Uint8Array.from({ length: count }, (_, i) => (i < classes ? i : stream.below(classes)));
    const pixels = Uint8Array.from({ length: count * side * side }, (_, at) => {
      const row = Math.floor((at % (side * side)) / side);
      const bright = Math.floor((row * classes) / side) === labels[Math.floor(at / (side * side))];
      return stream.below(100) < (bright ? 30 : 12) ? 1 + stream.below(255) : 0;
    });
    return {
      images: save(`${part}-images`, idxImages(count, side, side, pixels)),
      labels: save(`${part}-labels`, idxLabels(labels)),
    };
  };
  const [trained, tested] = [make('train', train), make('test', test)];
  return {
    trainImages: trained.images,
    trainLabels: trained.labels,
    testImages: tested.images,
    testLabels: tested.labels,
  };
}
