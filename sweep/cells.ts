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

export const accuracy = ({ test }: Pick<TrialRecord, 'test'>): number => test.correct / test.images;

/** A cell before anything is measured. */
export interface CellPlace extends Pick<Cell, 'network' | 'recipe' | 'pruneRatio' | 'remainingWeights'> {
  /** Where its trials are in the order of the grid. */
  points: number[];
}

/** One place a network, recipe and target, in the order of the grid. */
export function cellPlaces(points: Iterable<GridPoint>): CellPlace[] {
  const places = new Map<string, CellPlace>();
  let position = 0;
  for (const { network, recipeName, trial } of points) {
    const { remainingWeights } = trial.content;
    const key = `${network} ${recipeName} ${remainingWeights}`;
    const place = places.get(key) ?? {
      ...{ network, recipe: recipeName, remainingWeights, points: [] },
      ...(trial.pruneRatio === undefined ? {} : { pruneRatio: trial.pruneRatio }),
    };
    place.points.push(position++);
    places.set(key, place);
  }
  return [...places.values()];
}

/** @param accuracyAt the test accuracy of the trial at a place of the grid, if it is recorded */
export function fillCells(places: readonly CellPlace[], accuracyAt: (point: number) => number | undefined): Cell[] {
  return places.map(({ points, network, recipe, pruneRatio, remainingWeights }) => {
    const found = points.map(accuracyAt).filter((accuracy) => accuracy !== undefined);
    return {
      ...{ network, recipe },
      ...(pruneRatio === undefined ? {} : { pruneRatio }),
      remainingWeights,
      ...(found.length === 0 ? {} : summarise(found)),
      ...{ n: found.length, N: points.length },
    };
  });
}

export function cells(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): Cell[] {
  return fillCells(cellPlaces(points), (point) => {
    const record = records.get(points[point]!.trial.id);
    return record && accuracy(record);
  });
}
