/** The comparison table: replicates of a grid point that differ in the seed alone, summarised. */
import type { GridPoint } from './grid';
import type { TrialRecord } from './record';
import { type Summary, summarise } from './statistics';

export interface Cell extends Partial<Summary> {
  network: string;
  recipe: string;
  /** Absent for an absolute target. */
  pruneRatio?: number;
  remainingWeights: number;
  /** Trials with a record, and trials of the grid; the summary is of the test accuracy of those with a record. */
  n: number;
  N: number;
}

export const accuracy = ({ test }: TrialRecord): number => test.correct / test.images;

/** One cell a network, recipe and target, in the order of the grid. */
export function cells(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): Cell[] {
  const groups = new Map<string, GridPoint[]>();
  for (const point of points) {
    const key = `${point.network} ${point.recipeName} ${point.trial.content.remainingWeights}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return [...groups.values()].map((group) => {
    const { network, recipeName, trial } = group[0]!;
    const found = group.map((point) => records.get(point.trial.id)).filter((record) => record !== undefined);
    return {
      network,
      recipe: recipeName,
      ...(trial.pruneRatio === undefined ? {} : { pruneRatio: trial.pruneRatio }),
      remainingWeights: trial.content.remainingWeights,
      ...(found.length === 0 ? {} : summarise(found.map(accuracy))),
      n: found.length,
      N: group.length,
    };
  });
}
