/** What a sweep must mean to be one: the rules that take more than one field, or the data set, to check. */
import { pruningOf, retrainingOf, targetsOf, trainingOf } from './grid';
import { layerIndex, layerSizes, networkName, remainingFor, weightCount } from './networks';
import type { DatasetShape, RecipeSpec, SweepSpec } from './spec';
import { shown, thousands } from './wording';

export const MOST_TRIALS = 1_000_000;
/** Weights, gradients and moments of more do not fit the 4 GiB that a worker can address. */
export const MOST_WEIGHTS = 2 ** 27;
/** One target too many is a problem of every network. */
const MOST_NETWORK_PROBLEMS = 30;

/** A spec that has its defaults, and fields whose values may be anything where `isSound` says so. */
export interface Draft {
  spec: Omit<SweepSpec, 'seeds'> & { seeds: number | number[] };
  /** Whether the value at a path such as `seeds` or `hiddenWidths[2]` is what the schema says, and all in it too. */
  isSound(path: string): boolean;
  /** Whether a list is a list of a length that the schema allows, whatever its items are. */
  isList(path: string): boolean;
}

/** @param shape of the data set; undefined when it could not be read, and what depends on it is then not checked */
export function checkMeaning(draft: Draft, shape: DatasetShape | undefined): string[] {
  const tooMany = trialProblems(draft);
  return [
    ...datasetProblems(draft, shape),
    ...trainingProblems(draft),
    ...targetProblems(draft),
    ...duplicateProblems(draft),
    ...tooMany,
    // Networks x targets are gone through one by one, which a grid that is too large does not deserve.
    ...(shape === undefined || tooMany.length > 0 ? [] : networkProblems(draft, shape)),
    ...(shape === undefined || tooMany.length > 0 ? [] : layerProblems(draft, shape)),
  ];
}

function datasetProblems({ spec: { dataset }, isSound }: Draft, shape: DatasetShape | undefined): string[] {
  if (!isSound('dataset')) return [];
  const { name, idx, sha256, validation } = dataset;
  const problems: string[] = [];
  if (name !== undefined && idx !== undefined)
    problems.push('spec.dataset: both name and idx are given; leave one out');
  if (sha256 !== undefined && idx === undefined)
    problems.push('spec.dataset.sha256: only idx files are checked by digest; leave it out');
  if (shape === undefined) return problems;
  if (validation >= shape.trainImages)
    problems.push(
      `spec.dataset.validation: ${validation} of ${shape.trainImages} training images leaves none to train on; hold back fewer`,
    );
  if (idx !== undefined && sha256 !== undefined && shape.identity !== `sha256:${sha256}`)
    problems.push(
      `spec.dataset.sha256: ${sha256}, but the files have ${shape.identity.slice('sha256:'.length)}: they are not those that the sweep was accepted with; bring those back, or remove sha256 to use these`,
    );
  return problems;
}

function trainingProblems({ spec: { training }, isSound }: Draft): string[] {
  if (!isSound('training.optimizer') || !isSound('training.momentum')) return [];
  const { optimizer, momentum } = training;
  return optimizer === 'adam' && momentum !== 0
    ? [`spec.training.momentum: ${momentum} has no meaning with adam; take it away or set optimizer: sgd`]
    : [];
}

function targetProblems({ spec: { pruneRatios, remainingWeights }, isList }: Draft): string[] {
  if (!isList('pruneRatios') || !isList('remainingWeights')) return [];
  return pruneRatios.length + remainingWeights.length === 0
    ? ['spec.pruneRatios: missing, and remainingWeights too; for example `pruneRatios: [0, 0.9, 0.99]`']
    : [];
}

function duplicateProblems({ spec, isSound }: Draft): string[] {
  const fields = ['hiddenWidths', 'pruneRatios', 'remainingWeights', 'seeds'] as const;
  const problems = fields.flatMap((field) => {
    const items: unknown = spec[field];
    if (!isSound(field) || !Array.isArray(items)) return [];
    return duplicates(items).map(
      ([first, second]) =>
        `spec.${field}[${second}]: ${shown(items[second])} stands at [${first}] already; leave one out`,
    );
  });
  if (!isSound('recipes') || !isSound('training')) return problems;
  if (!isSound('retraining')) return problems;
  const recipes = spec.recipes.map((recipe) => effective(spec, recipe));
  for (const [first, second] of duplicates(recipes))
    problems.push(`spec.recipes[${second}]: the same as recipes[${first}]; leave one out`);
  return problems;
}

/** What tells recipes apart: how they prune, train and retrain. */
function effective(spec: Draft['spec'], recipe: RecipeSpec): unknown[] {
  const retraining = recipe.recovery === 'none' ? null : retrainingOf(spec, recipe);
  return [pruningOf(recipe), trainingOf(spec, recipe), retraining];
}

/** Layers that recipes name and networks do not have, and targets that the layers kept dense leave no room for. */
function layerProblems({ spec, isSound }: Draft, shape: DatasetShape): string[] {
  if (!['recipes', 'hiddenWidths', 'pruneRatios', 'remainingWeights'].every(isSound)) return [];
  const problems: string[] = [];
  for (const [at, { keepDense = [], linear = [] }] of spec.recipes.entries())
    for (const hiddenWidths of spec.hiddenWidths) {
      const place = `spec.recipes[${at}]`;
      const network = networkName(hiddenWidths);
      const sizes = layerSizes(hiddenWidths, shape);
      const layers = sizes.slice(1).map((outputs, l) => sizes[l]! * outputs);
      const has = (count: number) => `it has ${count === 1 ? 'fc1' : `fc1 to fc${count}`}`;
      for (const name of keepDense)
        if (layerIndex(name) >= layers.length)
          problems.push(`${place}.keepDense: ${network} has no ${name}; ${has(layers.length)}`);
      for (const name of linear)
        if (layerIndex(name) >= hiddenWidths.length)
          problems.push(
            `${place}.linear: ${network} has no hidden layer ${name}; of those ${has(hiddenWidths.length)}`,
          );
      const kept = [...new Set(keepDense)].reduce((sum, name) => sum + (layers[layerIndex(name)] ?? 0), 0);
      const least = targetsOf(spec, weightCount(sizes)).at(-1)?.remainingWeights;
      if (least !== undefined && kept > least)
        problems.push(
          `${place}.keepDense: ${thousands(kept)} weights of ${network} are kept, more than the ${thousands(least)} that the smallest target leaves; take larger targets, or prune these layers`,
        );
    }
  return problems.length > MOST_NETWORK_PROBLEMS
    ? [...problems.slice(0, MOST_NETWORK_PROBLEMS), 'and more of the same kind']
    : problems;
}

/** Positions of items that equal one before, each with the position of the first such. */
function duplicates(items: readonly unknown[]): [first: number, second: number][] {
  const seen = new Map<string, number>();
  return items.flatMap((item, index): [number, number][] => {
    const key = JSON.stringify(item);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    return first === undefined ? [] : [[first, index]];
  });
}

function trialProblems({ spec, isList, isSound }: Draft): string[] {
  const lists = ['hiddenWidths', 'pruneRatios', 'remainingWeights', 'recipes'];
  if (!lists.every(isList) || !isSound('seeds')) return [];
  const factors = [
    [spec.hiddenWidths.length, 'networks'],
    [spec.pruneRatios.length + spec.remainingWeights.length, 'targets'],
    [spec.recipes.length, 'recipes'],
    [typeof spec.seeds === 'number' ? spec.seeds : spec.seeds.length, 'seeds'],
  ] as const;
  const trials = factors.reduce((product, [count]) => product * count, 1);
  if (trials <= MOST_TRIALS) return [];
  const product = factors.map(([count, word]) => `${thousands(count)} ${word}`).join(' x ');
  return [`spec: ${product} are ${thousands(trials)} trials, a sweep has at most ${thousands(MOST_TRIALS)}; split it`];
}

/** Networks that are too large, and targets that a network cannot have: the first ones. */
function networkProblems(draft: Draft, shape: DatasetShape): string[] {
  const problems: string[] = [];
  for (const problem of eachNetworkProblem(draft, shape)) {
    if (problems.length === MOST_NETWORK_PROBLEMS) return [...problems, 'and more of the same kind'];
    problems.push(problem);
  }
  return problems;
}

function* eachNetworkProblem({ spec, isSound, isList }: Draft, shape: DatasetShape): Generator<string> {
  const soundItems = <T>(field: string, items: readonly T[]): [number, T][] =>
    isList(field) ? [...items.entries()].filter(([index]) => isSound(`${field}[${index}]`)) : [];
  const ratios = soundItems('pruneRatios', spec.pruneRatios);
  const counts = soundItems('remainingWeights', spec.remainingWeights);
  for (const [index, hiddenWidths] of soundItems('hiddenWidths', spec.hiddenWidths)) {
    const weights = weightCount(layerSizes(hiddenWidths, shape));
    const network = `${networkName(hiddenWidths)} (${thousands(weights)} weights)`;
    if (weights > MOST_WEIGHTS) {
      yield `spec.hiddenWidths[${index}]: ${network} is too large, at most ${thousands(MOST_WEIGHTS)} fit a worker's memory; take smaller widths`;
      continue;
    }
    for (const [at, ratio] of ratios)
      if (remainingFor(ratio, weights) === 0)
        yield `spec.pruneRatios[${at}]: ${ratio} leaves no weight of ${network}; take ${1 - 1 / weights} or less`;
    for (const [at, count] of counts)
      if (count > weights)
        yield `spec.remainingWeights[${at}]: ${count} is more than ${network} has; take at most ${weights}, or leave the network out`;
  }
}
