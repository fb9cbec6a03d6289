/**
 * The image as one file: an OCI image layout in a tar (opencontainers/image-spec, image-layout.md), which containerd, podman,
 * skopeo and Docker from 25 on take. Older Dockers read manifest.json in it, as `docker save` writes it.
 */
import { createHash, type Hash } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Kind } from '../../trainer/engine/tfjs/install/place';
import { type Entry, inOrder, text } from './entries';
import type { Layer } from './image';
import { envOf, nameOf, RUN } from './run';
import { tarOf } from './tar';

/**
 * Of Node, DuckDB and the images of MNIST, 240 MB, level 3 makes 83 MB; level 1 86 MB in the same time, level 6 79 MB in four
 * times and level 9 78 MB in twenty times the time. What is inside a layer has the same digest (diff_id) with any Node;
 * packed it has the same with the same Node.
 */
const GZIP_LEVEL = 3;

const OCI = 'application/vnd.oci.image';
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };
/** A date of its own would make every build another image. */
const CREATED = '1970-01-01T00:00:00Z';

interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

export interface PackedLayer {
  name: string;
  file: string;
  /** Digest of the tar before it is packed. */
  diffId: string;
  unpackedBytes: number;
  descriptor: Descriptor;
}

export interface Archive {
  /** Digest of the manifest, by which the image is called in a cluster. */
  digest: string;
  layers: PackedLayer[];
}

const sha256 = (hash: Hash) => `sha256:${hash.digest('hex')}`;

/** Counts and hashes what goes through it. */
class Meter {
  bytes = 0;
  private readonly hash = createHash('sha256');

  async *count(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      this.hash.update(chunk);
      this.bytes += chunk.length;
      yield chunk;
    }
  }

  get digest(): string {
    return sha256(this.hash.copy());
  }
}

async function packLayer({ name, entries }: Layer, file: string): Promise<PackedLayer> {
  const [plain, packed] = [new Meter(), new Meter()];
  await pipeline(
    tarOf(entries),
    (chunks) => plain.count(chunks),
    createGzip({ level: GZIP_LEVEL }),
    (chunks) => packed.count(chunks),
    createWriteStream(file),
  );
  return {
    ...{ name, file, diffId: plain.digest, unpackedBytes: plain.bytes },
    descriptor: { mediaType: `${OCI}.layer.v1.tar+gzip`, digest: packed.digest, size: packed.bytes },
  };
}

const pathOf = ({ digest }: Descriptor) => `blobs/${digest.replace(':', '/')}`;

function jsonBlob(mediaType: string, value: object): { descriptor: Descriptor; entry: Entry } {
  const json = JSON.stringify(value);
  const digest = sha256(createHash('sha256').update(json));
  const descriptor = { mediaType, digest, size: Buffer.byteLength(json) };
  return { descriptor, entry: text(pathOf(descriptor), json) };
}

function configOf(layers: readonly PackedLayer[], tfjs: Kind | undefined): object {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`${process.platform}-${process.arch}: no platform of the image; linux-x64 and linux-arm64 are`);
  return {
    ...{ created: CREATED, architecture, os: 'linux' },
    config: {
      ...{ User: RUN.user, WorkingDir: RUN.workingFolder, Entrypoint: RUN.entrypoint, Labels: RUN.labels },
      Env: Object.entries(envOf(tfjs)).map(([name, value]) => `${name}=${value}`),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ name }) => ({ created: CREATED, created_by: `npm run image: ${name}` })),
  };
}

/**
 * Writes the image to `file`.
 * @param tfjs the TensorFlow that is in it, if any
 */
export async function writeArchive(layers: readonly Layer[], file: string, tfjs?: Kind): Promise<Archive> {
  const folder = mkdtempSync(join(dirname(file), `.${basename(file)}-`));
  try {
    const packed = await Promise.all(layers.map((layer) => packLayer(layer, join(folder, layer.name))));
    const descriptors = packed.map(({ descriptor }) => descriptor);
    const config = jsonBlob(`${OCI}.config.v1+json`, configOf(packed, tfjs));
    const manifest = jsonBlob(`${OCI}.manifest.v1+json`, {
      ...{ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json` },
      ...{ config: config.descriptor, layers: descriptors },
    });
    const annotations = {
      'io.containerd.image.name': `docker.io/library/${nameOf(tfjs)}`,
      'org.opencontainers.image.ref.name': nameOf(tfjs).split(':')[1],
    };
    const index = {
      ...{ schemaVersion: 2, mediaType: `${OCI}.index.v1+json` },
      manifests: [{ ...manifest.descriptor, annotations }],
    };
    const forOldDocker = [
      {
        Config: pathOf(config.descriptor),
        RepoTags: [nameOf(tfjs)],
        Layers: descriptors.map((layer) => pathOf(layer)),
      },
    ];
    const entries = [
      text('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
      text('index.json', JSON.stringify(index)),
      text('manifest.json', JSON.stringify(forOldDocker)),
      ...[config.entry, manifest.entry],
      ...packed.map(({ file, descriptor }) => ({ path: pathOf(descriptor), mode: 0o644, content: { file } })),
    ];
    await pipeline(tarOf(inOrder(entries)), createWriteStream(file));
    return { digest: manifest.descriptor.digest, layers: packed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
