/**
 * Installs TensorFlow for Node into the user's cache folder: once for each machine and version, as a whole or not at all,
 * whoever else does so at the same time.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from '../../../../sweep/errors';
import { buildNative } from './build';
import { downloadNative } from './official';
import manifest from './package.json';
import lock from './package-lock.json';
import { cacheFolder, type Kind, keptFolder, PACKAGES } from './place';
import { run } from './run';

/** A folder under way that is older was left by a process that was killed. */
const LEFT_AFTER = 6 * 3600_000;

/** Multiplies two matrices in a process of its own, which a library that does not suit this machine may end. */
const CHECK = `
const tf = require(process.argv[1]);
const product = [...tf.tensor2d([[1, 2], [3, 4]]).matMul(tf.tensor2d([[1, 1], [0, 1]])).dataSync()].join();
if (tf.getBackend() !== 'tensorflow' || product !== '1,3,3,7') throw new Error(tf.getBackend() + ' says ' + product);
console.log(tf.version['tfjs-node'] + ' with libtensorflow ' + tf.backend().binding.TF_Version);
`;

const WAYS = [
  { name: 'its own download', install: downloadNative },
  { name: 'a build', install: buildNative },
];

/** @returns the folder, and whether it was there already */
export async function installTfjs(
  kind: Kind,
  say: (line: string) => void,
): Promise<{ folder: string; isNew: boolean }> {
  const folder = keptFolder(kind);
  if (existsSync(folder)) return { folder, isNew: false };
  removeLeftovers();
  const made = join(cacheFolder(), `.${kind}-${randomUUID()}`);
  mkdirSync(made, { recursive: true });
  try {
    await installPackages(made, say);
    say(`works: ${PACKAGES[kind]} ${await installNative(kind, made, say)}`);
    keep(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  return { folder, isNew: true };
}

/** The JavaScript half, as the lock file beside this file says. */
async function installPackages(root: string, say: (line: string) => void): Promise<void> {
  say('installing the packages of TensorFlow.js from npm: 300 MB unpacked');
  writeFileSync(join(root, 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify(lock));
  // Scripts would download libtensorflow; here the download is a step of its own, and may fail.
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    ...{ to: 'install the packages of TensorFlow.js', cwd: root },
    mend: 'see that npm reaches its registry (`npm ping`), and that the disk has room',
  });
}

/** @returns the versions of what was installed */
async function installNative(kind: Kind, root: string, say: (line: string) => void): Promise<string> {
  const packageFolder = join(root, 'node_modules', PACKAGES[kind]);
  const reasons: string[] = [];
  for (const { name, install } of WAYS)
    try {
      await install(kind, root, packageFolder, say);
      return await check(kind, root);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      say(`not by ${name}: ${error.message}`);
      reasons.push(`by ${name}: ${error.message}`);
      for (const begun of ['deps', 'lib']) rmSync(join(packageFolder, begun), { recursive: true, force: true });
    }
  throw new UnavailableError(`no ${PACKAGES[kind]} ${reasons.join('; ')}`);
}

const check = async (kind: Kind, root: string): Promise<string> =>
  (
    await run(process.execPath, ['-e', CHECK, join(root, 'node_modules', PACKAGES[kind])], {
      to: `use ${PACKAGES[kind]} on this machine`,
      mend: 'it needs a processor with AVX',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' },
    })
  ).trim();

/** What is there by now is as good. */
function keep(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function removeLeftovers(): void {
  if (!existsSync(cacheFolder())) return;
  for (const name of readdirSync(cacheFolder()).filter((one) => one.startsWith('.'))) {
    const path = join(cacheFolder(), name);
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - changed > LEFT_AFTER) rmSync(path, { recursive: true, force: true });
  }
}
