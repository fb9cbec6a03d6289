import { median } from '../sweep/statistics';

/** `0.92 (0.90-0.97)`. */
export function spread(values: readonly number[], digits = 3): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return `${median(values).toFixed(digits)} (${least}-${most})`;
}
