/** Studies for tests: a whole grid's records, made up so that every number that is asserted can be said beforehand. */
import { fromCsv, toCsv } from '../../charts/csv';
import { FIGURES } from '../../charts/figures';
import { isMissing, type Made } from '../../charts/figures/figure';
import { type Study, studyOf } from '../../charts/study';
import { type GridPoint, gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import type { DatasetShape } from '../../sweep/spec';
import { MNIST, recordOf, sweepOf } from '../fixtures';

export function studyFrom(
  specs: readonly object[],
  make: (point: GridPoint) => Partial<TrialRecord> | number,
  shape: DatasetShape = MNIST,
): Study {
  const points = specs.flatMap((spec) => gridPoints(sweepOf(spec, shape).spec, shape));
  const records = points.map((point) => {
    const made = make(point);
    return typeof made === 'number' ? recordOf(point, made) : { ...recordOf(point, 9000), ...made };
  });
  return studyOf(new Map(records.map((record) => [record.id, record])), shape);
}

export function make(name: string, study: Study): Made {
  const made = FIGURES.find((figure) => figure.name === name)!.make(study);
  if (isMissing(made)) throw new Error(`${name}: ${made.missing}`);
  return made;
}

/** The rows of the CSV beside a picture, read from its text: what looks like a number is one, what is empty is undefined. */
export function csvRows(name: string, study: Study): Record<string, number | string | undefined>[] {
  return fromCsv(toCsv(make(name, study).drawn.rows)).map((fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, text]) => [
        key,
        text === '' || text === undefined ? undefined : Number.isFinite(Number(text)) ? Number(text) : text,
      ]),
    ),
  );
}

/** Of correct answers of 10,000, on the test images. */
export const correct = (count: number): Pick<TrialRecord, 'test'> => ({
  test: { correct: count, images: 10_000, loss: 0.1 },
});

/** Half of the 95 % interval of three numbers a, a + step, a + 2 step: t(0.975, 2) x sd / sqrt(3), the sd being the step. */
export const halfOfThree = (step: number): number => (4.302652729696142 * step) / Math.sqrt(3);

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

/** Han et al.'s five ways with 300-100, down to their share and beyond. */
export const HAN = {
  pruneRatios: [0, 0.5, 0.918, 0.98],
  recipes: [
    { scope: 'layer', recovery: 'none', schedule: 'oneshot', l1: 0.00001 },
    { scope: 'layer', recovery: 'none', schedule: 'oneshot', l2: 0.0001 },
    { scope: 'layer', recovery: 'masked', schedule: 'oneshot', l1: 0.00001 },
    { scope: 'layer', recovery: 'masked', schedule: 'oneshot', l2: 0.0001 },
    { scope: 'layer', recovery: 'masked', schedule: 'iterative', l2: 0.0001 },
  ],
  retraining: { epochs: 4, learningRateFactor: 0.1 },
  seeds: 3,
};
