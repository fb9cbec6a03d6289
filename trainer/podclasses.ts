/** Which pods do a part of a sweep for less: those with a GPU, whose cost is that of whole arrays, or those of a core. */
import { retrainingOf, targetsOf, trainingOf, trainingsOf } from '../sweep/grid';
import { layerSizes, networkName, weightCount } from '../sweep/networks';
import { GPU_PRICE, gpuStepSeconds } from '../sweep/packs';
import type { SweepDefinition, SweepSpec } from '../sweep/spec';
import { type DataSize, dataSize, denseSeconds, epochSeconds, type Speed, trialEpochs, trialSeconds } from './work';

export type PodClass = 'cpu' | 'gpu';

/** The dense training of a network, or its pruning to one count: all recipes and seeds, with evaluation. */
export interface PartCost {
  network: string;
  part: 'dense' | 'pruned';
  remainingWeights: number;
  density: number;
  /** Of one core, with the wasm engine. */
  coreSeconds: number;
  /** Of one GPU, with the tfjs engine. */
  gpuSeconds: number;
  cheaper: PodClass;
}

export interface ClassPlan {
  /** Hours of a core that an hour of a GPU costs. */
  gpuPrice: number;
  parts: PartCost[];
  /** Of each network the density at and below which survivors are retrained for less on a core: 0 for none, 1 for all. */
  turns: { network: string; density: number }[];
  /** Seconds of a core that all of it is worth: on one class of pods, or with all but dense training on a core. */
  worth: { gpu: number; mixed: number; cpu: number };
}

/** @param speed of the core */
export function classPlan({ sweep: { spec }, shape }: SweepDefinition, speed?: Speed): ClassPlan {
  const { gpuPrice = GPU_PRICE } = spec.template;
  const data = dataSize(shape, spec.dataset.validation);
  const networks = spec.hiddenWidths.map((widths) => ({
    network: networkName(widths),
    sizes: layerSizes(widths, shape),
  }));
  const parts = networks.flatMap(({ network, sizes }) =>
    costsOf(spec, sizes, data, speed).map((cost): PartCost => {
      const { remainingWeights: remaining, coreSeconds, gpuSeconds } = cost;
      const cheaper = coreSeconds <= gpuPrice * gpuSeconds ? 'cpu' : 'gpu';
      return { network, ...cost, density: remaining / weightCount(sizes), cheaper };
    }),
  );
  const turns = networks.map(({ network, sizes }) => ({
    network,
    density: turnOf(spec, sizes, data, gpuPrice, speed),
  }));
  const sum = (worth: (part: PartCost) => number) => parts.reduce((total, part) => total + worth(part), 0);
  const onGpu = ({ gpuSeconds }: PartCost) => gpuPrice * gpuSeconds;
  const onCpu = ({ coreSeconds }: PartCost) => coreSeconds;
  const mixed = sum((part) => (part.part === 'dense' ? onGpu : onCpu)(part));
  return { gpuPrice, parts, turns, worth: { gpu: sum(onGpu), mixed, cpu: sum(onCpu) } };
}

/** Seconds of a GPU for an epoch of one lineage. */
function gpuEpochSeconds(spec: SweepSpec, sizes: readonly number[], data: DataSize): number {
  const alike = spec.seeds.length;
  const steps = Math.ceil(data.train / spec.training.batchSize);
  return steps * gpuStepSeconds(spec, sizes, alike * trainingsOf(spec).length, alike);
}

function costsOf(spec: SweepSpec, sizes: readonly number[], data: DataSize, speed: Speed | undefined) {
  const total = weightCount(sizes);
  const gpuEpoch = gpuEpochSeconds(spec, sizes, data);
  const seeds = spec.seeds.length;
  const dense = { coreSeconds: 0, gpuSeconds: 0 };
  for (const training of trainingsOf(spec)) {
    dense.coreSeconds += seeds * denseSeconds(training, sizes, data, speed);
    dense.gpuSeconds += seeds * training.epochs * gpuEpoch;
  }
  const ofTarget = (remainingWeights: number) => {
    const cost = { coreSeconds: 0, gpuSeconds: 0 };
    for (const recipe of spec.recipes) {
      const retraining = recipe.recovery === 'none' ? null : retrainingOf(spec, recipe);
      const trial = { remainingWeights, recipe, retraining, training: trainingOf(spec, recipe) };
      cost.coreSeconds += seeds * trialSeconds(trial, sizes, data, speed);
      cost.gpuSeconds += seeds * trialEpochs(trial, sizes, data, () => gpuEpoch);
    }
    return cost;
  };
  const costs = new Map(targetsOf(spec, total).map(({ remainingWeights: n }) => [n, ofTarget(n)]));
  const evaluated = costs.get(total) ?? { coreSeconds: 0, gpuSeconds: 0 };
  costs.delete(total);
  dense.coreSeconds += evaluated.coreSeconds;
  dense.gpuSeconds += evaluated.gpuSeconds;
  return [
    { part: 'dense' as const, remainingWeights: total, ...dense },
    ...[...costs].map(([remainingWeights, cost]) => ({ part: 'pruned' as const, remainingWeights, ...cost })),
  ];
}

/** An evaluation is a part of an epoch on either, and so the count where an epoch costs the same is where all of it does. */
function turnOf(
  spec: SweepSpec,
  sizes: readonly number[],
  data: DataSize,
  gpuPrice: number,
  speed: Speed | undefined,
): number {
  const total = weightCount(sizes);
  const worth = gpuPrice * gpuEpochSeconds(spec, sizes, data);
  let [least, most] = [0, total];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (epochSeconds(sizes, spec.training.batchSize, middle, data, speed) <= worth) least = middle;
    else most = middle - 1;
  }
  return least / total;
}
