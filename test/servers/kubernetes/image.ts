/** OCI images of one layer, from files of this machine, as archives that `ctr images import` reads. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inTemporaryFolder, machine, run } from '../source';

const MEDIA = 'application/vnd.oci.image';

export interface Image {
  /** Repository and tag. */
  name: string;
  /** By their paths in the image, files of this machine, or what is in them. */
  files: Readonly<Record<string, string | Buffer>>;
  entrypoint: readonly string[];
}

/** Writes the archive. Its programs run as the user 65532, if the pod says nothing else. */
export const writeImage = (archive: string, { name, files, entrypoint }: Image): Promise<void> =>
  inTemporaryFolder(async (folder) => {
    const tree = join(folder, 'tree');
    for (const [path, content] of Object.entries(files)) {
      const place = join(tree, path);
      mkdirSync(dirname(place), { recursive: true });
      if (typeof content === 'string') copyFileSync(content, place);
      else writeFileSync(place, content, { mode: 0o755 });
    }
    const layer = join(folder, 'layer.tar');
    await run('tar', ['-cf', layer, '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--sort=name', '.'], {
      cwd: tree,
    });

    const layout = join(folder, 'layout');
    const blobs = join(layout, 'blobs', 'sha256');
    mkdirSync(blobs, { recursive: true });
    const put = (bytes: Buffer, mediaType: string) => {
      const sum = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(join(blobs, sum), bytes);
      return { mediaType, digest: `sha256:${sum}`, size: bytes.length };
    };
    const putJson = (document: object, mediaType: string) => put(Buffer.from(JSON.stringify(document)), mediaType);
    const layers = [put(readFileSync(layer), `${MEDIA}.layer.v1.tar`)];
    const platform = { architecture: machine(), os: 'linux' };
    const config = putJson(
      {
        ...platform,
        config: { Entrypoint: entrypoint, User: '65532:65532', WorkingDir: '/' },
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      },
      `${MEDIA}.config.v1+json`,
    );
    const mediaType = `${MEDIA}.manifest.v1+json`;
    const manifest = putJson({ schemaVersion: 2, mediaType, config, layers }, mediaType);
    const annotations = { 'io.containerd.image.name': name };
    const index = { schemaVersion: 2, manifests: [{ ...manifest, platform, annotations }] };
    writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
    writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await run('tar', ['-cf', archive, '-C', layout, '.']);
  });

/** Code that does one system call for ever: pause, and on arm64, which has no such, ppoll of nothing. */
const WAIT_FOR_EVER: Record<string, string> = {
  amd64: 'b8220000000f05ebf7',
  arm64: '000080d2010080d2020080d2030080d2040080d2280980d2010000d4f9ffff17',
};

/** A program that only waits, as the first container of each pod does: an ELF of a header, one segment, and its code. */
export function pauseProgram(): Buffer {
  const code = Buffer.from(WAIT_FOR_EVER[machine()]!, 'hex');
  const base = 0x400000;
  const program = Buffer.alloc(120);
  // ELF, 64 bits, little-endian, version 1; an executable for the machine, 62 is x86-64 and 183 is aarch64.
  program.write('7f454c46020101', 'hex');
  program.writeUInt16LE(2, 16);
  program.writeUInt16LE(machine() === 'amd64' ? 62 : 183, 18);
  program.writeUInt32LE(1, 20);
  // It begins behind the two headers; the second begins at 64; 64 and 56 are their sizes, and there is one of the second.
  program.writeBigUInt64LE(BigInt(base + program.length), 24);
  program.writeBigUInt64LE(64n, 32);
  program.writeUInt16LE(64, 52);
  program.writeUInt16LE(56, 54);
  program.writeUInt16LE(1, 56);
  // The segment: to be loaded, readable and executable; the whole file, at the base.
  program.writeUInt32LE(1, 64);
  program.writeUInt32LE(5, 68);
  program.writeBigUInt64LE(BigInt(base), 80);
  program.writeBigUInt64LE(BigInt(base), 88);
  program.writeBigUInt64LE(BigInt(program.length + code.length), 96);
  program.writeBigUInt64LE(BigInt(program.length + code.length), 104);
  program.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([program, code]);
}
