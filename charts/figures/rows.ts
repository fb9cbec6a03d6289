/** From groups of replicates to what figures' rows have in common. */
import type { Group, Row, Study } from '../study';
import type { Missing } from './figure';

export interface Interval {
  low: number | undefined;
  high: number | undefined;
  n: number;
}

export const intervalOf = ({ low, high, n }: Pick<Group, 'low' | 'high' | 'n'>): Interval => ({ low, high, n });

export const STUDY = 'k8s/samples/study.yaml';

export const missing = (what: string): Missing => ({ missing: `it takes ${what}; run them as in ${STUDY}` });

/** Of the lowest seed among rows: the one network that a map or a histogram shows. */
export const firstSeed = (rows: readonly Row[]): Row | undefined => [...rows].sort((a, b) => a.seed - b.seed)[0];

export const recordOf = ({ records }: Study, row: Row | undefined) =>
  row === undefined ? undefined : records.get(row.id);
