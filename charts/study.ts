/**
 * What figures and claims are made of: one row a measured trial, with all that it was trained and pruned with. The rows
 * of several sweeps lie side by side; a row says itself what it is a measurement of.
 */
import { layerSizes, networkName, recipeName, weightCount } from '../sweep/networks';
import type { TrialRecord } from '../sweep/record';
import type { DatasetShape, RecipeSpec, RetrainingSpec, TrainingSpec } from '../sweep/spec';
import { type Summary, summarise } from '../sweep/statistics';

export interface Row {
  id: string;
  network: string;
  hiddenWidths: number[];
  /** Layer sizes, input to classes. */
  sizes: number[];
  /** Of the dense network, without biases. */
  weights: number;
  seed: number;
  /** Training images held back. */
  validation: number;
  training: TrainingSpec;
  recipe: Omit<RecipeSpec, 'l1' | 'l2'>;
  /** Null where nothing is retrained. */
  retraining: RetrainingSpec | null;
  remainingWeights: number;
  /** Counts that the network was pruned to before, the largest first; none when it was pruned from the dense one. */
  path: number[];
  remainingByLayer: number[];
  thresholdByLayer: number[];
  testCorrect: number;
  testImages: number;
  validationCorrect?: number;
  validationImages?: number;
  testCorrectWithoutRelu: number[];
  activeProbe: number[];
  activeMean: number[];
  flopFraction: number;
}

export interface Study {
  shape: Pick<DatasetShape, 'inputs' | 'classes' | 'identity'>;
  rows: readonly Row[];
  /** Records have what rows have not: histograms, maps and costs. None when a study is read from its CSV. */
  records: ReadonlyMap<string, TrialRecord>;
}

/** Of the data that all published numbers here are of; beside what was measured on other data they say nothing. */
export const isMnist = ({ shape }: Pick<Study, 'shape'>): boolean => shape.identity === 'mnist';

/** @param records all of one data set; those of others are left out */
export function studyOf(records: ReadonlyMap<string, TrialRecord>, shape: Study['shape']): Study {
  const own = [...records.values()].filter(({ trial }) => trial.dataset === shape.identity);
  return { shape, rows: own.map((record) => rowOf(record, records, shape)), records };
}

function rowOf(record: TrialRecord, records: ReadonlyMap<string, TrialRecord>, shape: Study['shape']): Row {
  const { id, trial, test, validation } = record;
  const { hiddenWidths, seed, training, recipe, retraining, remainingWeights } = trial;
  const sizes = layerSizes(hiddenWidths, shape);
  return {
    ...{ id, network: networkName(hiddenWidths), hiddenWidths, sizes, weights: weightCount(sizes) },
    ...{ seed, validation: trial.validation, training, recipe, retraining, remainingWeights },
    path: pathOf(record, records),
    ...{ remainingByLayer: record.remainingByLayer, thresholdByLayer: record.thresholdByLayer },
    ...{ testCorrect: test.correct, testImages: test.images },
    ...(validation === undefined ? {} : { validationCorrect: validation.correct, validationImages: validation.images }),
    testCorrectWithoutRelu: record.testCorrectWithoutRelu,
    ...{ activeProbe: record.activeProbe, activeMean: record.activeMean, flopFraction: record.flopFraction },
  };
}

/** An ancestor that is not recorded ends the path, which then begins later than it did. */
function pathOf(record: TrialRecord, records: ReadonlyMap<string, TrialRecord>): number[] {
  const path: number[] = [];
  for (let { parent } = record.trial; parent !== null; ) {
    const ancestor = records.get(parent);
    if (ancestor === undefined) break;
    path.unshift(ancestor.trial.remainingWeights);
    parent = ancestor.trial.parent;
  }
  return path;
}

/** Percent of the test images. */
export const accuracyPercent = ({ testCorrect, testImages }: Row): number => (100 * testCorrect) / testImages;
export const errorPercent = (row: Row): number => 100 - accuracyPercent(row);
export const validationPercent = ({ validationCorrect, validationImages }: Row): number | undefined =>
  validationCorrect === undefined || validationImages === undefined
    ? undefined
    : (100 * validationCorrect) / validationImages;
export const remainingPercent = ({ remainingWeights, weights }: Row): number => (100 * remainingWeights) / weights;
/** What a layer has left, percent of its own weights. @param layer 0 for fc1 */
export const layerPercent = ({ sizes, remainingByLayer }: Row, layer: number): number =>
  (100 * remainingByLayer[layer]!) / (sizes[layer]! * sizes[layer + 1]!);
export const isDense = ({ remainingWeights, weights }: Row): boolean => remainingWeights === weights;

/** What a network was trained and pruned with, its hidden widths, seed and count apart. */
export const settingOf = ({ validation, training, recipe, retraining }: Row): string =>
  JSON.stringify([validation, training, recipe, retraining]);

/** Replicates: rows that differ in the seed alone. */
export interface Group extends Summary {
  network: string;
  remainingWeights: number;
  rows: Row[];
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = key(item);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return groups;
}

/** The items of the key that most of them have; of keys that are as frequent, of the first by text. */
export const mostFrequent = <T>(items: readonly T[], key: (item: T) => string): T[] =>
  [...groupBy(items, key)].sort(([a, x], [b, y]) => y.length - x.length || byText(a, b))[0]?.[1] ?? [];

/**
 * The replicates of each network and count, by network and falling count. Where a count was reached over different
 * paths, by two sweeps with different targets, the path with most seeds is taken, then the longest: one path a group.
 *
 * @param rows of one setting
 * @param value what is summarised, percent
 */
export function groupsOf(rows: readonly Row[], value: (row: Row) => number = accuracyPercent): Group[] {
  const places = groupBy(rows, ({ network, remainingWeights }) => `${network} ${remainingWeights}`);
  return [...places.values()]
    .map((place) => {
      const paths = [...groupBy(place, ({ path }) => path.join(' '))].sort(
        ([a, x], [b, y]) => y.length - x.length || y[0]!.path.length - x[0]!.path.length || byText(a, b),
      );
      const chosen = [...paths[0]![1]].sort((a, b) => a.seed - b.seed);
      const { network, remainingWeights } = chosen[0]!;
      return { network, remainingWeights, rows: chosen, ...summarise(chosen.map(value)) };
    })
    .sort((a, b) => byNetwork(a, b) || b.remainingWeights - a.remainingWeights);
}

/** 150-100 before 300-100 before 300-200. */
export function byNetwork(a: { network: string }, b: { network: string }): number {
  const [x, y] = [a, b].map(({ network }) => network.split('-').map(Number)) as [number[], number[]];
  for (let at = 0; at < Math.max(x.length, y.length); at++) if (x[at] !== y[at]) return (x[at] ?? 0) - (y[at] ?? 0);
  return 0;
}

/**
 * The replicates of the setting that has the best mean accuracy on the images held back, among all of 300-100 at the
 * count; the test set has no say. Settings of a single seed are not candidates.
 */
export function bestOnValidation({ rows }: Study, count: number): { rows: Row[]; tries: number } | undefined {
  const own = rows.filter(
    (row) =>
      row.network === '300-100' &&
      row.remainingWeights === count &&
      !isDense(row) &&
      row.validationImages !== undefined,
  );
  const groups = [...groupBy(own, settingOf).values()]
    .flatMap((setting) => groupsOf(setting, (row) => validationPercent(row)!))
    .filter(({ n }) => n > 1)
    .sort((a, b) => b.mean - a.mean || (settingOf(a.rows[0]!) < settingOf(b.rows[0]!) ? -1 : 1));
  return groups[0] && { rows: groups[0].rows, tries: groups.length };
}

export interface Pair {
  a: Row;
  b: Row;
}

/** Rows of the same seed. */
export function paired(a: readonly Row[], b: readonly Row[]): Pair[] {
  const bySeed = new Map(b.map((row) => [row.seed, row]));
  return a.flatMap((row) => {
    const other = bySeed.get(row.seed);
    return other === undefined ? [] : [{ a: row, b: other }];
  });
}

/** What most trials of a study were trained and retrained with: the sweep that it is about, others being beside it. */
export function mainRows(study: Study): Row[] {
  const retrained = study.rows.filter(({ retraining }) => retraining !== null);
  const [most] = mostFrequent(retrained, (row) => frameOf(row, row.retraining));
  if (most === undefined) return mostFrequent(study.rows, (row) => frameOf(row, null));
  return study.rows.filter((row) => frameOf(row, row.retraining ?? most.retraining) === frameOf(most, most.retraining));
}

const frameOf = ({ validation, training }: Row, retraining: RetrainingSpec | null) =>
  JSON.stringify([validation, training, retraining]);

/** `magnitude/global/masked/iterative`. */
export const recipeOf = ({ recipe }: Row): string => recipeName(recipe);

export const MASKED = 'magnitude/global/masked/iterative';
export const REGROW = 'magnitude/global/regrow/iterative';
export const NONE = 'magnitude/global/none/oneshot';

export const ofRecipe = (rows: readonly Row[], recipe: string): Row[] => rows.filter((row) => recipeOf(row) === recipe);

/** The replicates of a network at a count, if there are any. */
export const groupAt = (
  rows: readonly Row[],
  network: string,
  remainingWeights: number,
  value?: (row: Row) => number,
): Group | undefined =>
  groupsOf(
    rows.filter((row) => row.network === network && row.remainingWeights === remainingWeights),
    value,
  )[0];

/** The dense networks, each once though every recipe begins with it. */
export function denseRows(rows: readonly Row[]): Row[] {
  const dense = groupBy(rows.filter(isDense), ({ network, seed }) => `${network} ${seed}`);
  return [...dense.values()].map(([first]) => first!);
}

export const networksOf = (rows: readonly Row[]): string[] =>
  [...new Set(rows.map(({ network }) => network))].sort((a, b) => byNetwork({ network: a }, { network: b }));

/** Han et al.'s way with their network: thresholds a layer, one of the penalties. */
export function hanRows(
  { rows }: Study,
  penalty: 'l1' | 'l2',
  recovery: Row['recipe']['recovery'],
  schedule: Row['recipe']['schedule'],
): Row[] {
  const own = rows.filter(
    ({ network, training, recipe }) =>
      network === '300-100' &&
      training.linear === undefined &&
      training[penalty] > 0 &&
      training[penalty === 'l1' ? 'l2' : 'l1'] === 0 &&
      recipe.scope === 'layer' &&
      recipe.criterion === 'magnitude' &&
      recipe.recovery === recovery &&
      recipe.schedule === schedule &&
      recipe.keepDense === undefined,
  );
  const pruned = own.filter((row) => !isDense(row));
  const [most] = mostFrequent(pruned, (row) => frameOf(row, row.retraining));
  if (most === undefined) return [];
  const frame = frameOf(most, most.retraining);
  return own.filter((row) => frameOf(row, isDense(row) ? most.retraining : row.retraining) === frame);
}

/** The share that Han et al. left of LeNet-300-100, 8.2 %, or the count of these rows next to it, from 7.5 to 9 %. */
export function hanCount(rows: readonly Row[]): number | undefined {
  const distance = (row: Row) => Math.abs(remainingPercent(row) - 8.2);
  const near = rows.filter((row) => remainingPercent(row) >= 7.5 && remainingPercent(row) <= 9);
  return near.sort((a, b) => distance(a) - distance(b))[0]?.remainingWeights;
}
