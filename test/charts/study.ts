/** Studies for tests: a whole grid's records, made up so that every number that is asserted can be said beforehand. */
import { type Study, studyOf } from '../../charts/study';
import { type GridPoint, gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';

export function studyFrom(specs: readonly object[], make: (point: GridPoint) => Partial<TrialRecord> | number): Study {
  const points = specs.flatMap((spec) => gridPoints(sweepOf(spec).spec, MNIST));
  const records = points.map((point) => {
    const made = make(point);
    return typeof made === 'number' ? recordOf(point, made) : { ...recordOf(point, 9000), ...made };
  });
  return studyOf(new Map(records.map((record) => [record.id, record])), MNIST);
}

export const ARTICLE = {
  hiddenWidths: [
    [150, 100],
    [300, 100],
    [600, 100],
    [1200, 100],
    [300, 200],
    [300, 300],
  ],
  pruneRatios: [0, 0.9],
  remainingWeights: [2663, 2657, 1641],
  recipes: [{ recovery: 'masked' }, { recovery: 'regrow' }, { recovery: 'none', schedule: 'oneshot' }],
  seeds: 3,
};
