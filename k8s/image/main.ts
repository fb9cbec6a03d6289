/** `npm run image -- --out FILE.tar | --rootfs DIR`: makes the container image from this checkout, without Docker, root or a network. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeArchive } from './archive';
import { imageOf } from './image';
import { writeRootfs } from './rootfs';
import { NAME } from './run';
import { billOfMaterials } from './sbom';

const ROOT = resolve(__dirname, '../..');
const USAGE = 'npm run image -- --out FILE.tar, an OCI archive; or --rootfs DIR, its files in a folder';

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(9);

async function toArchive(file: string): Promise<void> {
  const image = imageOf(ROOT);
  mkdirSync(dirname(file), { recursive: true });
  const { digest, layers } = await writeArchive(image.layers, file);
  const bill = file.replace(/\.tar$/, '.cdx.json');
  writeFileSync(bill, `${JSON.stringify(billOfMaterials(ROOT, image, digest), undefined, 2)}\n`);
  for (const { name, unpackedBytes, descriptor } of layers)
    console.info(`${name.padEnd(9)}${megabytes(descriptor.size)}, unpacked ${megabytes(unpackedBytes)}`);
  const sum = (of: (layer: (typeof layers)[number]) => number) => layers.reduce((total, layer) => total + of(layer), 0);
  console.info(
    `all      ${megabytes(sum(({ descriptor }) => descriptor.size))}, unpacked ${megabytes(sum(({ unpackedBytes }) => unpackedBytes))}`,
  );
  console.info(`${NAME} ${digest}\n${file}\n${bill}`);
}

function toFolder(folder: string): void {
  if (existsSync(folder)) throw new Error(`--rootfs: ${folder}: is there already; choose another folder, or remove it`);
  writeRootfs(imageOf(ROOT).layers, folder);
}

async function main(): Promise<void> {
  const { out, rootfs } = parseArgs({ options: { out: { type: 'string' }, rootfs: { type: 'string' } } }).values;
  if ((out === undefined) === (rootfs === undefined)) throw new Error(USAGE);
  if (out !== undefined && !out.endsWith('.tar')) throw new Error(`--out: ${out}: must end in .tar; ${USAGE}`);
  if (out !== undefined) await toArchive(resolve(out));
  if (rootfs !== undefined) toFolder(resolve(rootfs));
}

main().catch(({ message }: Error) => {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
});
