/** What trials.csv and trials.parquet say of a trial: each column once, with its type. */
import { accuracy } from '../sweep/cells';
import { decodeCounts } from '../sweep/counts';
import type { GridPoint } from '../sweep/grid';
import type { Histogram, TrialRecord } from '../sweep/record';
import type { RecipeSpec } from '../sweep/spec';

type Value = string | number | readonly number[] | undefined;

export interface Column {
  name: string;
  type: 'string' | 'integer' | 'number' | 'integers' | 'numbers';
  /** Undefined where the trial has no such value. */
  of(point: GridPoint, record: TrialRecord): Value;
}

const DIGITS_OF_DIGEST = 12;

/** `mnist`, or `sha256:` and the first digits of the digest. */
const datasetName = (identity: string) =>
  identity.startsWith('sha256:') ? identity.slice(0, 'sha256:'.length + DIGITS_OF_DIGEST) : identity;

const COLUMNS: readonly Column[] = [
  { name: 'trial_id', type: 'string', of: ({ trial }) => trial.id },
  { name: 'dataset', type: 'string', of: ({ trial }) => datasetName(trial.content.dataset) },
  { name: 'network', type: 'string', of: ({ network }) => network },
  { name: 'seed', type: 'integer', of: ({ seed }) => seed },
  { name: 'criterion', type: 'string', of: ({ recipe }) => recipe.criterion },
  { name: 'scope', type: 'string', of: ({ recipe }) => recipe.scope },
  { name: 'recovery', type: 'string', of: ({ recipe }) => recipe.recovery },
  { name: 'schedule', type: 'string', of: ({ recipe }) => recipe.schedule },
  { name: 'prune_ratio', type: 'number', of: ({ trial }) => trial.pruneRatio },
  { name: 'requested_weights', type: 'integer', of: ({ trial }) => trial.content.remainingWeights },
  {
    name: 'remaining_weights',
    type: 'integer',
    of: (_, { remainingByLayer }) => remainingByLayer.reduce((sum, n) => sum + n, 0),
  },
  { name: 'remaining_by_layer', type: 'integers', of: (_, record) => record.remainingByLayer },
  { name: 'threshold_by_layer', type: 'numbers', of: (_, record) => record.thresholdByLayer },
  { name: 'test_correct', type: 'integer', of: (_, { test }) => test.correct },
  { name: 'test_accuracy', type: 'number', of: (_, record) => accuracy(record) },
  { name: 'test_loss', type: 'number', of: (_, { test }) => test.loss },
  {
    name: 'validation_accuracy',
    type: 'number',
    of: (_, { validation }) => validation && validation.correct / validation.images,
  },
  { name: 'test_correct_without_relu', type: 'integers', of: (_, record) => record.testCorrectWithoutRelu },
  { name: 'active_probe', type: 'integers', of: (_, record) => record.activeProbe },
  { name: 'active_mean', type: 'numbers', of: (_, record) => record.activeMean },
  { name: 'flop_fraction', type: 'number', of: (_, record) => record.flopFraction },
  { name: 'engine', type: 'string', of: (_, { engine }) => engine },
];

/** With the columns above alone, two recipes that differ in their own l1 or l2 would be told apart by ids only. */
const PENALTIES: readonly Column[] = [
  { name: 'l1', type: 'number', of: ({ trial }) => trial.content.training.l1 },
  { name: 'l2', type: 'number', of: ({ trial }) => trial.content.training.l2 },
];

/** The columns of a sweep: those of every sweep, and l1 and l2 when some recipe sets its own. */
export function columnsOf(recipes: readonly RecipeSpec[]): readonly Column[] {
  const setsOwn = recipes.some(({ l1, l2 }) => l1 !== undefined || l2 !== undefined);
  return setsOwn ? [...COLUMNS, ...PENALTIES] : COLUMNS;
}

/** Histograms of the surviving weights, for the Parquet file alone; a network without the layer has none. */
export function histogramColumns(layers: number): Column[] {
  const places = ['all', ...[...Array(layers).keys()].map((layer) => `fc${layer + 1}`)];
  return places.flatMap((place, index): Column[] => {
    const of = ({ histograms }: TrialRecord) => (index === 0 ? histograms.all : histograms.layers[index - 1]);
    const countsOf = (histogram: Histogram | undefined) => histogram && decodeCounts(histogram.counts);
    return [
      { name: `histogram_${place}_limit`, type: 'number', of: (_, record) => of(record)?.limit },
      { name: `histogram_${place}_counts`, type: 'integers', of: (_, record) => countsOf(of(record)) },
    ];
  });
}

export interface RecordedPoint {
  point: GridPoint;
  record: TrialRecord;
}

/** Points that have a record, each with its own, in the order of the grid. */
export function recorded(points: readonly GridPoint[], records: ReadonlyMap<string, TrialRecord>): RecordedPoint[] {
  return points.flatMap((point) => {
    const record = records.get(point.trial.id);
    return record === undefined ? [] : [{ point, record }];
  });
}
