/** Where TensorFlow for Node is: among the packages of prunesweep, as whoever installed it there wants, or in the user's cache folder. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import lock from './package-lock.json';
import { CUDA, TENSORFLOW } from './wheels';

export const KINDS = ['cpu', 'gpu'] as const;
/** Which libtensorflow: the one for GPUs falls back to the processor, in silence, where it finds none. */
export type Kind = (typeof KINDS)[number];

export const PACKAGES: Record<Kind, string> = { cpu: '@tensorflow/tfjs-node', gpu: '@tensorflow/tfjs-node-gpu' };

export const HOW_TO_INSTALL = (kind: Kind) =>
  `run \`prunesweep tfjs ${kind}\`, in a checkout \`npm run tfjs -- ${kind}\``;

/** A change of what is installed, or of how, makes another folder: what is in one suits this version. */
const RECIPE = 1;

export const cacheFolder = () => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'prunesweep', 'tfjs');

/** The folder with `node_modules` in it. It is there as a whole or not at all. */
export function keptFolder(kind: Kind): string {
  const pins = JSON.stringify([
    RECIPE,
    lock,
    TENSORFLOW[kind],
    kind === 'gpu' ? CUDA : [],
    process.platform,
    process.arch,
  ]);
  return join(cacheFolder(), `${kind}-${createHash('sha256').update(pins).digest('hex').slice(0, 12)}`);
}

/** Paths to `require`, in the order in which they are to be tried; one that is there may still have no binding. */
export function candidates(kind: Kind): string[] {
  const places = [__filename, join(keptFolder(kind), 'package.json')];
  return places.flatMap((place) => {
    if (!existsSync(place)) return [];
    try {
      return [createRequire(place).resolve(PACKAGES[kind])];
    } catch {
      return [];
    }
  });
}
