/**
 * How a claim is decided: by the mean of one number a seed, a paired difference mostly, and a region that the claim says
 * it lies in. Student's t tests whether the mean is inside, and whether it is outside; the better answer's two-sided p
 * enters Holm's correction.
 */
import { jStat } from 'jstat';
import { type Summary, summarise } from '../sweep/statistics';

/** At least `low`, at most `high`; one of them or both. */
export interface Region {
  low?: number;
  high?: number;
}

export type Verdict = 'reproduced' | 'refuted' | 'inconclusive';

/** Family-wise. */
export const ALPHA = 0.05;

export interface Test extends Summary {
  /** Which answer the mean speaks for. */
  isInside: boolean;
  /** Two-sided, uncorrected: below 0.05 just when the 95 % interval lies wholly inside, or wholly outside. */
  p: number;
}

/** P(T <= t). */
const below = (t: number, df: number): number => (Number.isFinite(t) ? jStat.studentt.cdf(t, df) : t > 0 ? 1 : 0);

/** @param values one a seed. Of fewer than two seeds nothing is concluded: p is 1 */
export function testRegion(values: readonly number[], region: Region): Test {
  const summary = summarise(values);
  const { n, mean, sd } = summary;
  const bounds = [
    ...(region.low === undefined ? [] : [{ excess: mean - region.low }]),
    ...(region.high === undefined ? [] : [{ excess: region.high - mean }]),
  ];
  const isInside = bounds.every(({ excess }) => excess >= 0);
  if (sd === undefined) return { ...summary, isInside, p: 1 };
  const tails = bounds.map(({ excess }) => {
    if (excess === 0) return { inside: 0.5, outside: 0.5 };
    const t = (excess * Math.sqrt(n)) / sd;
    return { inside: below(-t, n - 1), outside: below(t, n - 1) };
  });
  // Inside is above one bound and below the other; outside is beyond any of them.
  const inside = Math.max(...tails.map((tail) => tail.inside));
  const outside = Math.min(...tails.map((tail) => tail.outside));
  return { ...summary, isInside, p: Math.min(1, 2 * (isInside ? inside : outside)) };
}

/** Holm 1979: p-values that may each be held against the level of all together. */
export function holm(ps: readonly number[]): number[] {
  const order = [...ps.keys()].sort((a, b) => ps[a]! - ps[b]!);
  const adjusted = new Array<number>(ps.length);
  let most = 0;
  for (const [rank, at] of order.entries()) {
    most = Math.max(most, Math.min(1, (ps.length - rank) * ps[at]!));
    adjusted[at] = most;
  }
  return adjusted;
}

export const verdictOf = ({ isInside }: Pick<Test, 'isInside'>, adjusted: number): Verdict =>
  adjusted >= ALPHA ? 'inconclusive' : isInside ? 'reproduced' : 'refuted';

/** A claim holds when all that it says does, and falls with any part of it. */
export function together(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('refuted')) return 'refuted';
  return verdicts.every((verdict) => verdict === 'reproduced') ? 'reproduced' : 'inconclusive';
}
