/** Cells coloured by accuracy: cividis, which people with any kind of colour vision read alike, over the log of the error. */
import * as Plot from '@observablehq/plot';

/** Test errors, fractions: a best network to chance. */
const ERRORS: [number, number] = [0.01, 0.9];
const scale = Plot.scale({ color: { type: 'log', domain: ERRORS, scheme: 'cividis', reverse: true, clamp: true } });

export type Shade = {
  background: string;
  /** Readable on it. */
  color: string;
};

const cache = new Map<number, Shade>();

/** @param accuracy a fraction */
export function shadeOf(accuracy: number): Shade {
  const key = Math.round(1000 * accuracy);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const background = String(scale.apply(Math.max(ERRORS[0], 1 - accuracy)));
  const channels = background.startsWith('#')
    ? [1, 3, 5].map((at) => Number.parseInt(background.slice(at, at + 2), 16))
    : (background.match(/\d+/g) ?? []).map(Number);
  const linear = channels.map((value) =>
    value / 255 <= 0.04045 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  const luminance = 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
  const shade = { background, color: luminance > 0.179 ? '#000' : '#fff' };
  cache.set(key, shade);
  return shade;
}

/** Accuracies, percent, that the legend shows. */
export const LEGEND = [10, 50, 80, 90, 95, 97, 98, 99] as const;
