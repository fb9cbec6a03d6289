/** What a claim is: a statement, and the comparisons that decide it. Its rule is fixed here, whatever the data are. */

import type { Region } from '../decision';
import type { Missing } from '../figures/figure';
import { missing } from '../figures/rows';
import { type Pair, paired, type Row, type Study } from '../study';

/** One number a seed, and where the claim says that their mean lies. */
export interface Comparison {
  what: string;
  /** `%`, or `points`: differences of percents. */
  unit: '%' | 'points';
  values: readonly number[];
  region: Region;
  /** What was published, in the same unit; absent where it was said in words. */
  published?: number;
}

export interface Claim {
  name: string;
  /** Of whom, and where. */
  source: string;
  statement: string;
  /** In words, margins included. */
  rule: string;
  /** Decided by numbers that were measured on MNIST, so by no other data. */
  isOfMnist?: true;
  of(study: Study): Judged | Missing;
}

export interface Judged {
  comparisons: readonly Comparison[];
  /** What else a reader must know: the recipe that was chosen, out of how many. */
  note?: string;
}

/** A paired difference, seed by seed. @param value percent */
export function difference(
  what: string,
  a: readonly Row[] | undefined,
  b: readonly Row[] | undefined,
  value: (row: Row) => number,
  region: Region,
): Comparison[] {
  const values = paired(a ?? [], b ?? []).map(({ a: x, b: y }: Pair) => value(x) - value(y));
  return values.length === 0 ? [] : [{ what, unit: 'points', values, region }];
}

/** All parts or none: a claim is not decided by what happens to be there. */
export function complete(
  comparisons: readonly Comparison[],
  parts: number,
  needed: string,
  note?: string,
): Judged | Missing {
  if (comparisons.length < parts) return missing(needed);
  return { comparisons, ...(note === undefined ? {} : { note }) };
}
