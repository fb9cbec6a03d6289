/** Two sweeps cell by cell: what the second has over the first. */
import type { CellPlace } from './cells';
import { type Summary, summarise } from './statistics';

export interface Replicate {
  seed: number;
  /** Its id: the same in two sweeps is one trial, and one record. */
  trial: string;
  accuracy: number;
}

/** What is measured of a cell. */
export interface MeasuredCell extends Pick<CellPlace, 'network' | 'recipe' | 'remainingWeights'> {
  replicates: readonly Replicate[];
}

export interface Comparison extends Pick<CellPlace, 'network' | 'recipe' | 'remainingWeights'> {
  /** Of each side: replicates and their mean accuracy; absent where the sweep has no such cell. */
  first?: Side;
  second?: Side;
  /** Seeds that both have measured. */
  pairs: number;
  /** Of them, those that are the same trial. */
  same: number;
  /** Mean over the pairs of the second's accuracy less the first's, and its 95 % interval by Student's t, from two pairs on. */
  difference?: number;
  low?: number;
  high?: number;
}

interface Side {
  n: number;
  mean?: number;
}

const keyOf = ({ network, recipe, remainingWeights }: MeasuredCell) => `${network} ${recipe} ${remainingWeights}`;

/** All cells of the first, then those that the second alone has. */
export function compare(first: readonly MeasuredCell[], second: readonly MeasuredCell[]): Comparison[] {
  const others = new Map(second.map((cell) => [keyOf(cell), cell]));
  const known = new Set(first.map(keyOf));
  return [
    ...first.map((cell) => comparison(cell, cell, others.get(keyOf(cell)))),
    ...second.filter((cell) => !known.has(keyOf(cell))).map((cell) => comparison(cell, undefined, cell)),
  ];
}

function comparison(
  { network, recipe, remainingWeights }: MeasuredCell,
  first: MeasuredCell | undefined,
  second: MeasuredCell | undefined,
): Comparison {
  const bySeed = new Map(first?.replicates.map((one) => [one.seed, one]));
  const pairs = (second?.replicates ?? []).flatMap((after) => {
    const before = bySeed.get(after.seed);
    return before === undefined ? [] : [{ before, after }];
  });
  const differences = pairs.map(({ before, after }) => after.accuracy - before.accuracy);
  const { mean: difference, low, high }: Partial<Summary> = differences.length === 0 ? {} : summarise(differences);
  return {
    ...{ network, recipe, remainingWeights },
    ...(first === undefined ? {} : { first: sideOf(first) }),
    ...(second === undefined ? {} : { second: sideOf(second) }),
    ...{ pairs: pairs.length, same: pairs.filter(({ before, after }) => before.trial === after.trial).length },
    ...(difference === undefined ? {} : { difference }),
    ...(low === undefined || high === undefined ? {} : { low, high }),
  };
}

const sideOf = ({ replicates }: MeasuredCell): Side => ({
  n: replicates.length,
  ...(replicates.length === 0 ? {} : { mean: summarise(replicates.map(({ accuracy }) => accuracy)).mean }),
});
