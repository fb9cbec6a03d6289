/** `npm run image -- --out FILE.tar | --rootfs DIR [--tfjs cpu|gpu]`: makes the container image from this checkout, without Docker, root or a network. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KINDS, type Kind } from '../../trainer/engine/tfjs/install/place';
import { writeArchive } from './archive';
import { imageOf } from './image';
import { writeRootfs } from './rootfs';
import { nameOf } from './run';
import { billOfMaterials } from './sbom';

const ROOT = resolve(__dirname, '../..');
const USAGE =
  'npm run image -- --out FILE.tar, an OCI archive; or --rootfs DIR, its files in a folder; --tfjs cpu|gpu, with the TensorFlow that `npm run tfjs` has installed here';

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(9);

async function toArchive(file: string, tfjs?: Kind): Promise<void> {
  const image = imageOf(ROOT, tfjs);
  mkdirSync(dirname(file), { recursive: true });
  const { digest, layers } = await writeArchive(image.layers, file, tfjs);
  const bill = file.replace(/\.tar$/, '.cdx.json');
  writeFileSync(bill, `${JSON.stringify(billOfMaterials(ROOT, image, digest), undefined, 2)}\n`);
  for (const { name, unpackedBytes, descriptor } of layers)
    console.info(`${name.padEnd(9)}${megabytes(descriptor.size)}, unpacked ${megabytes(unpackedBytes)}`);
  const sum = (of: (layer: (typeof layers)[number]) => number) => layers.reduce((total, layer) => total + of(layer), 0);
  console.info(
    `all      ${megabytes(sum(({ descriptor }) => descriptor.size))}, unpacked ${megabytes(sum(({ unpackedBytes }) => unpackedBytes))}`,
  );
  console.info(`${nameOf(tfjs)} ${digest}\n${file}\n${bill}`);
}

function toFolder(folder: string, tfjs?: Kind): void {
  if (existsSync(folder)) throw new Error(`--rootfs: ${folder}: is there already; choose another folder, or remove it`);
  writeRootfs(imageOf(ROOT, tfjs).layers, folder);
}

async function main(): Promise<void> {
  const options = { out: { type: 'string' }, rootfs: { type: 'string' }, tfjs: { type: 'string' } } as const;
  const { out, rootfs, tfjs } = parseArgs({ options }).values;
  const kind = KINDS.find((one) => one === tfjs);
  if (tfjs !== undefined && kind === undefined) throw new Error(`--tfjs: ${tfjs}: cpu or gpu; ${USAGE}`);
  if ((out === undefined) === (rootfs === undefined)) throw new Error(USAGE);
  if (out !== undefined && !out.endsWith('.tar')) throw new Error(`--out: ${out}: must end in .tar; ${USAGE}`);
  if (out !== undefined) await toArchive(resolve(out), kind);
  if (rootfs !== undefined) toFolder(resolve(rootfs), kind);
}

main().catch(({ message }: Error) => {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
});
