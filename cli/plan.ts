/** `prunesweep plan`: what a sweep would do and take, without doing it. */
import { cpus } from 'node:os';
import { type GridSize, gridSize, packCount, podMemory, retrainingOf, trainingOf, trainingsOf } from '../sweep/grid';
import { layerSizes, weightCount } from '../sweep/networks';
import { GPU_RESOURCE, partsOf, templateOf } from '../sweep/packs';
import type { DatasetShape, PodTemplate, SweepDefinition, SweepSpec } from '../sweep/spec';
import { thousands } from '../sweep/wording';
import { type ClassPlan, classPlan } from '../trainer/podclasses';
import { measureSpeed } from '../trainer/speed';
import { dataSize, denseSeconds, type Speed, trialSeconds } from '../trainer/work';
import { loadSweep } from './sweepfile';

interface Plan extends GridSize {
  name: string;
  dataset: string;
  trainImages: number;
  testImages: number;
  workers: number;
  /** On this machine, with that many workers. */
  estimatedSeconds: number;
  /** Of one core of this machine, for all of it. */
  coreSeconds: number;
  /** On one core; more workers or pods than lineages end nothing sooner. */
  longestLineageSeconds: number;
  /** Memory that a pod asks for when the sweep's template says nothing else, of the larger pods where there are two kinds. */
  podMebibytes: number;
  /** Of a sweep that asks for GPUs: what is cheaper where. */
  classes?: ClassPlan;
}

/** Seconds that one worker would take for each network, all seeds together. */
function networkSeconds({ sweep: { spec }, shape }: SweepDefinition, size: GridSize, speed: Speed): number[] {
  const data = dataSize(shape, spec.dataset.validation);
  return spec.hiddenWidths.map((widths, index) => {
    const sizes = layerSizes(widths, shape);
    let seconds = 0;
    for (const training of trainingsOf(spec)) seconds += denseSeconds(training, sizes, data, speed);
    for (const recipe of spec.recipes)
      for (const remainingWeights of size.networks[index]!.targets) {
        const trial = {
          ...{ remainingWeights, recipe },
          ...{ retraining: retrainingOf(spec, recipe), training: trainingOf(spec, recipe) },
        };
        seconds += trialSeconds(trial, sizes, data, speed);
      }
    return seconds * spec.seeds.length;
  });
}

/** Weights. */
const largestOf = ({ spec, shape }: { spec: SweepSpec; shape: DatasetShape }): number =>
  Math.max(...spec.hiddenWidths.map((widths) => weightCount(layerSizes(widths, shape))));

function makePlan(loaded: SweepDefinition): Plan {
  const { sweep, shape } = loaded;
  const { spec, metadata } = sweep;
  const size = gridSize(spec, shape);
  const workers = Math.min(spec.parallelism, cpus().length, size.lineages);
  const speed = measureSpeed();
  const seconds = networkSeconds(loaded, size, speed);
  const longest = Math.max(...seconds.map((one) => (one * spec.hiddenWidths.length) / size.lineages));
  const total = seconds.reduce((sum, one) => sum + one, 0);
  return {
    name: metadata.name,
    dataset: shape.identity,
    trainImages: shape.trainImages - spec.dataset.validation,
    testImages: shape.testImages,
    ...size,
    workers,
    // No sooner than the longest lineage, which one worker alone does.
    estimatedSeconds: Math.max(total / workers, longest),
    coreSeconds: total,
    longestLineageSeconds: longest,
    podMebibytes: Math.max(...partsOf(spec.template).map((part) => podMemory(spec, shape, part))),
    ...(spec.template.accelerator === 'gpu' ? { classes: classPlan(loaded, speed) } : {}),
  };
}

/** 45 s, 20 min, 62 h 43 min. */
function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const counted = (n: number, what: string) => `${thousands(n)} ${what}${n === 1 ? '' : 's'}`;
const MOST_NETWORKS = 40;
const MOST_TARGETS = 12;

/** What a sweep would do, wherever it is run. */
export function gridText({ sweep, shape }: SweepDefinition): string {
  const { spec, metadata } = sweep;
  const plan = gridSize(spec, shape);
  const lines = plan.networks.slice(0, MOST_NETWORKS).map(({ network, weights, targets }) => {
    const shown = targets.slice(0, MOST_TARGETS).map(thousands).join(' ');
    const more = targets.length > MOST_TARGETS ? ` and ${targets.length - MOST_TARGETS} more` : '';
    return `  ${network.padEnd(12)} ${thousands(weights).padStart(11)} weights, pruned to ${shown}${more}`;
  });
  if (plan.networks.length > MOST_NETWORKS) lines.push(`  and ${plan.networks.length - MOST_NETWORKS} more`);
  const trainImages = shape.trainImages - spec.dataset.validation;
  return [
    `${metadata.name}: ${shape.identity}, ${thousands(trainImages)} training and ${thousands(shape.testImages)} test images`,
    `${counted(plan.networks.length, 'network')}, the largest with ${thousands(largestOf({ spec, shape }))} weights:`,
    ...lines,
    `${counted(spec.recipes.length, 'recipe')}, ${counted(spec.seeds.length, 'seed')}`,
    `${counted(plan.lineages, 'lineage')} (dense networks), ${counted(plan.trials, 'trial')}, ${counted(plan.packs, 'pack')}`,
    '',
  ].join('\n');
}

/** `up to 8 pods at once, each with a core and 376 MiB of memory`, and then those of the next part. */
export function podsText({ sweep: { spec }, shape }: SweepDefinition): string {
  const parts = partsOf(spec.template);
  const texts = parts.map((part) => {
    const pods = Math.min(spec.parallelism, packCount(spec, shape, part));
    return `up to ${counted(pods, 'pod')} at once, each ${podText(templateOf(spec.template, part), podMemory(spec, shape, part))}`;
  });
  return parts.length === 1
    ? texts[0]!
    : `${texts.join(',\nthen ')}, from checkpoints of ${(checkpointBytes(spec, shape) / 2 ** 30).toPrecision(2)} GiB in NATS`;
}

function podText(template: PodTemplate, mebibytes: number): string {
  const { accelerator, resources, gpuResource = GPU_RESOURCE } = template;
  const hasGpu = accelerator === 'gpu';
  const has = resources === undefined ? `with a core and ${mebibytes} MiB of memory` : 'as template.resources says';
  return hasGpu ? `${has} and one ${gpuResource}` : has;
}

/** Of all dense networks: four bytes a weight, and one of its mask. */
function checkpointBytes(spec: SweepSpec, shape: DatasetShape): number {
  const { networks, lineages } = gridSize(spec, shape);
  const weights = networks.reduce((sum, network) => sum + network.weights, 0);
  return (5 * weights * lineages) / networks.length;
}

function timeText({ estimatedSeconds, workers, coreSeconds, longestLineageSeconds }: Plan): string {
  const [time, total, longest] = [estimatedSeconds, coreSeconds, longestLineageSeconds].map(duration);
  return [
    `about ${time} on this machine with ${counted(workers, 'worker')}, by a measurement of a fraction of a second:`,
    `  ${total} of a core in all, ${longest} of it the longest lineage`,
    '',
  ].join('\n');
}

/** Of each network, on which pods its parts cost less, and what the whole costs on either and on both. */
function classesText({ gpuPrice, parts, turns, worth }: ClassPlan): string {
  const retraining = (density: number) => {
    if (density === 0) return 'GPU at every count';
    return density === 1
      ? 'core at every count'
      : `core at ${(100 * density).toPrecision(2)} % of the weights and less`;
  };
  const dense = new Map(parts.filter(({ part }) => part === 'dense').map((part) => [part.network, part]));
  const lines = turns.slice(0, MOST_NETWORKS).map(({ network, density }) => {
    const { cheaper, coreSeconds, gpuSeconds } = dense.get(network)!;
    const times = `${duration(coreSeconds)} of a core or ${duration(gpuSeconds)} of a GPU`;
    return `  ${network.padEnd(12)} dense training: ${cheaper === 'gpu' ? 'GPU' : 'core'} (${times}); retraining: ${retraining(density)}`;
  });
  if (turns.length > MOST_NETWORKS) lines.push(`  and ${turns.length - MOST_NETWORKS} more`);
  return [
    `what costs less, a GPU at the price of ${gpuPrice} cores (template.gpuPrice) and as fast as sweep/packs.ts reckons:`,
    ...lines,
    `  all on GPUs costs ${duration(worth.gpu)} of a core, with template.retrainOn: cpu ${duration(worth.mixed)}, all on cores ${duration(worth.cpu)}`,
    '',
  ].join('\n');
}

export function plan(file: string, options: { json: boolean }): void {
  const loaded = loadSweep(file);
  const made = makePlan(loaded);
  const inCluster = loaded.sweep.spec.dataset.idx === undefined ? `in a cluster ${podsText(loaded)}\n` : '';
  process.stdout.write(
    options.json
      ? `${JSON.stringify(made, undefined, 2)}\n`
      : gridText(loaded) + timeText(made) + inCluster + (made.classes === undefined ? '' : classesText(made.classes)),
  );
}
