/** The grid: from an accepted sweep to its trials, and to the lineages that carry them out. */
import { lineageId, trialId } from './ids';
import { layerNames, layerSizes, networkName, recipeName, remainingFor, weightCount } from './networks';
import { type Part, packSizes, partsOf, podMebibytes } from './packs';
import type { DatasetShape, RecipeSpec, RetrainingSpec, SweepSpec, TrainingSpec } from './spec';
import type { Lineage, PruningSpec, Trial } from './trial';

/** What a network is pruned to. */
export interface Target {
  remainingWeights: number;
  /** Absent for an absolute target. */
  pruneRatio?: number;
}

/** A trial and what the grid calls it. */
export interface GridPoint {
  trial: Trial;
  network: string;
  recipe: RecipeSpec;
  recipeName: string;
  seed: number;
}

/**
 * A network's targets by falling count. Two that leave the same count are one, under the name of the ratio: 0.995 of
 * 600-100 is 2,657 weights.
 */
export function targetsOf(spec: Pick<SweepSpec, 'pruneRatios' | 'remainingWeights'>, total: number): Target[] {
  const targets = new Map<number, Target>();
  for (const pruneRatio of spec.pruneRatios) {
    const remainingWeights = remainingFor(pruneRatio, total);
    if (!targets.has(remainingWeights)) targets.set(remainingWeights, { remainingWeights, pruneRatio });
  }
  for (const remainingWeights of spec.remainingWeights)
    if (!targets.has(remainingWeights)) targets.set(remainingWeights, { remainingWeights });
  return [...targets.values()].sort((a, b) => b.remainingWeights - a.remainingWeights);
}

/** The training of a recipe: the sweep's, with what the recipe sets. */
export function trainingOf({ training }: Pick<SweepSpec, 'training'>, recipe: RecipeSpec): TrainingSpec {
  const { l1, l2 } = recipe;
  const linear = layerNames(recipe.linear);
  return {
    ...training,
    ...(l1 === undefined ? {} : { l1 }),
    ...(l2 === undefined ? {} : { l2 }),
    ...(linear === undefined ? {} : { linear }),
  };
}

/** The retraining of a recipe: the sweep's, with what the recipe sets. */
export const retrainingOf = (
  { retraining }: Pick<SweepSpec, 'retraining'>,
  { retraining: own }: RecipeSpec,
): RetrainingSpec => ({ ...retraining, ...own });

export function pruningOf({ criterion, scope, recovery, schedule, ...rest }: RecipeSpec): PruningSpec {
  const keepDense = layerNames(rest.keepDense);
  return { criterion, scope, recovery, schedule, ...(keepDense === undefined ? {} : { keepDense }) };
}

/** The trials of one recipe on one dense network, each pruned from the one before when the schedule is iterative. */
function chainOf(
  spec: SweepSpec,
  shape: DatasetShape,
  hiddenWidths: number[],
  recipe: RecipeSpec,
  seed: number,
): Trial[] {
  const total = weightCount(layerSizes(hiddenWidths, shape));
  const pruning = pruningOf(recipe);
  const { recovery, schedule } = recipe;
  let parent: string | null = null;
  return targetsOf(spec, total).map(({ remainingWeights, pruneRatio }) => {
    const content = {
      dataset: shape.identity,
      validation: spec.dataset.validation,
      hiddenWidths,
      training: trainingOf(spec, recipe),
      seed,
      recipe: pruning,
      retraining: recovery === 'none' || remainingWeights === total ? null : retrainingOf(spec, recipe),
      remainingWeights,
      parent,
    };
    const id = trialId(content);
    if (schedule === 'iterative' && remainingWeights < total) parent = id;
    return { id, content, ...(pruneRatio === undefined ? {} : { pruneRatio }) };
  });
}

/** All trials, one after another: by hidden widths, recipe, falling count, seed. */
export function* eachGridPoint(spec: SweepSpec, shape: DatasetShape): Generator<GridPoint> {
  for (const hiddenWidths of spec.hiddenWidths)
    for (const recipe of spec.recipes) {
      const bySeed = spec.seeds.map((seed) => ({ seed, chain: chainOf(spec, shape, hiddenWidths, recipe, seed) }));
      const names = { network: networkName(hiddenWidths), recipe, recipeName: recipeName(recipe) };
      for (const at of bySeed[0]!.chain.keys())
        for (const { seed, chain } of bySeed) yield { trial: chain[at]!, seed, ...names };
    }
}

export const gridPoints = (spec: SweepSpec, shape: DatasetShape): GridPoint[] => [...eachGridPoint(spec, shape)];

/** The dense networks of one seed, in the order of the recipes whose training they have first. */
function lineagesOfSeed(spec: SweepSpec, shape: DatasetShape, hiddenWidths: number[], seed: number): Lineage[] {
  const lineages = new Map<string, Lineage>();
  for (const recipe of spec.recipes) {
    const content = {
      dataset: shape.identity,
      validation: spec.dataset.validation,
      hiddenWidths,
      training: trainingOf(spec, recipe),
      seed,
    };
    const id = lineageId(content);
    const lineage = lineages.get(id) ?? { id, content, sizes: layerSizes(hiddenWidths, shape), chains: [] };
    lineage.chains.push(chainOf(spec, shape, hiddenWidths, recipe, seed));
    lineages.set(id, lineage);
  }
  return [...lineages.values()];
}

/** All dense networks: by hidden widths, seed, and the l1 and l2 of the recipes. */
export const lineagesOf = (spec: SweepSpec, shape: DatasetShape): Lineage[] =>
  spec.hiddenWidths.flatMap((hiddenWidths) =>
    spec.seeds.flatMap((seed) => lineagesOfSeed(spec, shape, hiddenWidths, seed)),
  );

/** The ways in which the recipes have dense networks trained: so many lineages are there of each hidden widths and seed. */
export const trainingsOf = (spec: SweepSpec): TrainingSpec[] => [
  ...new Map(
    spec.recipes.map((recipe) => trainingOf(spec, recipe)).map((training) => [JSON.stringify(training), training]),
  ).values(),
];

/** How many dense networks there are of each hidden widths. */
const lineagesOfEach = (spec: SweepSpec): number => spec.seeds.length * trainingsOf(spec).length;

const shapesOf = (spec: SweepSpec, shape: DatasetShape): number[][] =>
  spec.hiddenWidths.map((widths) => layerSizes(widths, shape));

const packsOf = (spec: SweepSpec, shape: DatasetShape, part?: Part): number[] =>
  packSizes(spec, shapesOf(spec, shape), lineagesOfEach(spec), part);

/** MiB, when the sweep does not say it. */
export const podMemory = (spec: SweepSpec, shape: DatasetShape, part?: Part): number =>
  podMebibytes(spec, shapesOf(spec, shape), lineagesOfEach(spec), part);

export const packCount = (spec: SweepSpec, shape: DatasetShape, part?: Part): number =>
  packsOf(spec, shape, part).length;

/**
 * The lineages of a pack of a part, 0 for the first: so many at a time in the order of the grid. None when there is no such
 * pack. The rest of the grid is not made for it: of a million trials that would take each pod 6 s and 600 MB.
 */
export function packOf(spec: SweepSpec, shape: DatasetShape, pack: number, part?: Part): Lineage[] {
  const sizes = packsOf(spec, shape, part);
  const size = sizes[pack] ?? 0;
  const before = sizes.slice(0, pack).reduce((sum, one) => sum + one, 0);
  const together = trainingsOf(spec).length;
  const [first, end] = [Math.floor(before / together), Math.ceil((before + size) / together)];
  const lineages: Lineage[] = [];
  for (let at = first; at < end; at++) {
    const hiddenWidths = spec.hiddenWidths[Math.floor(at / spec.seeds.length)]!;
    lineages.push(...lineagesOfSeed(spec, shape, hiddenWidths, spec.seeds[at % spec.seeds.length]!));
  }
  return lineages.slice(before - first * together, before - first * together + size);
}

/** The trials of a lineage that a part records. */
export const trialsOf = ({ sizes, chains }: Lineage, part: Part | undefined): Trial[][] => {
  if (part !== 'dense') return chains;
  const total = weightCount(sizes);
  return chains.map((chain) => chain.filter(({ content }) => content.remainingWeights === total));
};

/** How large the grid is, without its trials being made. */
export interface GridSize {
  networks: { network: string; weights: number; targets: number[] }[];
  lineages: number;
  trials: number;
  /** Of all parts. */
  packs: number;
}

export function gridSize(spec: SweepSpec, shape: DatasetShape): GridSize {
  const networks = spec.hiddenWidths.map((hiddenWidths) => {
    const weights = weightCount(layerSizes(hiddenWidths, shape));
    const targets = targetsOf(spec, weights).map(({ remainingWeights }) => remainingWeights);
    return { network: networkName(hiddenWidths), weights, targets };
  });
  const lineages = spec.hiddenWidths.length * lineagesOfEach(spec);
  const targets = networks.reduce((sum, network) => sum + network.targets.length, 0);
  return {
    networks,
    lineages,
    trials: targets * spec.recipes.length * spec.seeds.length,
    packs: partsOf(spec.template).reduce((sum, part) => sum + packCount(spec, shape, part), 0),
  };
}
