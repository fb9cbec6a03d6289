/** Sweeps and records for tests: small, and true to their types. */
import { acceptSweep } from '../sweep/accept';
import { encodeCounts } from '../sweep/counts';
import type { GridPoint } from '../sweep/grid';
import { RECORD_VERSION, type TrialRecord } from '../sweep/record';
import type { DatasetShape, Sweep } from '../sweep/spec';

export const MNIST: DatasetShape = {
  inputs: 784,
  classes: 10,
  trainImages: 60000,
  testImages: 10000,
  identity: 'mnist',
};

/** A sweep document with what most tests do not care about filled in. */
export const document = (spec: object, name = 'test') => ({
  apiVersion: 'prunesweep.dev/v1alpha1',
  kind: 'PruneSweep',
  metadata: { name },
  spec: { hiddenWidths: [[300, 100]], pruneRatios: [0, 0.9, 0.99], ...spec },
});

export const sweepOf = (spec: object, shape: DatasetShape = MNIST): Sweep => acceptSweep(document(spec), shape);

/** A record that a trial could have; `correct` of 10,000 images. */
export function recordOf({ trial }: GridPoint, correct: number): TrialRecord {
  const { content } = trial;
  const layers = content.hiddenWidths.length + 1;
  const counts = Array.from({ length: 100 }, (_, bin) => bin);
  const histogram = { limit: 0.5, counts: encodeCounts(counts) };
  const share = Math.floor(content.remainingWeights / layers);
  const rest = Array.from({ length: layers - 1 }, () => share);
  return {
    version: RECORD_VERSION,
    id: trial.id,
    trial: content,
    engine: 'wasm',
    remainingByLayer: [content.remainingWeights - share * (layers - 1), ...rest],
    thresholdByLayer: Array.from({ length: layers }, (_, l) => 0.01 * (l + 1)),
    test: { correct, images: 10000, loss: 0.123456789012345 },
    testCorrectWithoutRelu: content.hiddenWidths.map((_, l) => correct - 100 * (l + 1)),
    activeProbe: content.hiddenWidths.map((width) => Math.floor(width / 2)),
    activeMean: content.hiddenWidths.map((width) => width / 3),
    flopFraction: 0.25,
    histograms: { all: histogram, layers: Array.from({ length: layers }, () => histogram) },
    cost: { trainingSeconds: 1.5, evaluationSeconds: 0.25, worker: 1, host: 'host', versions: { prunesweep: '0.1.0' } },
  };
}
