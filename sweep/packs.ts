/** What a pod takes, and how many lineages it works on when the sweep leaves it to us. */
import { weightCount } from './networks';
import type { PodTemplate, SweepSpec } from './spec';

/**
 * What a trainer on a processor takes at most, in MiB. Measured: 300 for one hidden layer of 50, 327 for 300-100, 384 for 1200-100
 * and 535 for 2000-1000, of 40 thousand to 3.6 million weights.
 */
const TRAINER = { base: 305, ofMillionWeights: 66 };

/**
 * What a trainer with a GPU takes of the pod's memory, in MiB: for the libraries of TensorFlow and CUDA, not measured yet, and
 * for each lineage of its pack, whose start, state and checkpoint are there at once. On a processor 8 to 64 of 300-100 and 16 of
 * 1200-100 took 76 bytes a weight, the 16 of the tensors of weights, moments and mask included.
 */
const GPU_TRAINER = { base: 4096, ofMillionWeights: 58 };

/**
 * What a GPU has room for, and what is worth giving it: lineages of one shape train together as [lineages, in, out] tensors.
 * An H100's, by the model in bench/README.md ("A GPU, on paper"): operations are counted, the rest is reasoned. `npm run bench --
 * tfjs --gpu` measures it.
 */
const GPU = {
  /** A weight, its gradient, two moments and a mask, and as much again for what an operation makes of them: 10 numbers of 4 bytes. */
  bytesPerWeight: 40,
  /** Of a unit for one image: forward, backward, and both once more. */
  bytesPerActivation: 16,
  /** What is left of the memory by the images, the runtime and its pools. */
  usableShare: 0.5,
  /** In GiB, when nothing says it: the smallest GPU that clouds still lend. */
  memory: 16,
  /** 35 operations of some 14 µs to begin, whatever is in them: the seconds of a step in which nothing is computed. */
  secondsPerStep: 0.5e-3,
  /** Of multiply-adds in small matrices whose weights and moments pass through memory each step, not the peak of a data sheet. */
  flopsPerSecond: 25e12,
  /** Computing is to take so many times as long as beginning operations; more lineages would gain a fifth at most. */
  worthwhile: 4,
};

/**
 * What pods do of their lineages where two kinds of pods share them: `dense` trains the dense networks, records them and leaves
 * them as checkpoints; `pruned` goes on from there.
 */
export const PARTS = ['dense', 'pruned'] as const;
export type Part = (typeof PARTS)[number];

/** The parts of a sweep, one after another; undefined stands for all that there is to do, by pods of one kind. */
export const partsOf = ({ accelerator, retrainOn }: PodTemplate): readonly (Part | undefined)[] =>
  accelerator === 'gpu' && retrainOn === 'cpu' ? PARTS : [undefined];

/** What the pods of a part are made of: those that prune have a core, as if the sweep said nothing. */
export const templateOf = (template: PodTemplate, part: Part | undefined): PodTemplate =>
  part === 'pruned' ? {} : template;

/**
 * The memory of the pods of a part, MiB, when the sweep does not say it.
 * @param shapes sizes of each network of the grid
 * @param each lineages of each network
 */
export function podMebibytes(spec: SweepSpec, shapes: readonly number[][], each: number, part?: Part): number {
  const { lineagesPerPack, training } = spec;
  const template = templateOf(spec.template, part);
  const weights = shapes.map(weightCount);
  const largest = Math.max(...weights);
  const trained = () =>
    lineagesPerPack === 'auto'
      ? shapes.map((sizes, i) => weights[i]! * Math.min(each, lineagesTogether(sizes, training.batchSize, template)))
      : [largest * Math.min(lineagesPerPack, each * shapes.length)];
  const [kind, most] = template.accelerator === 'gpu' ? [GPU_TRAINER, Math.max(...trained())] : [TRAINER, largest];
  return Math.ceil(kind.base + (kind.ofMillionWeights * most) / 1e6);
}

const GIBIBYTE = 2 ** 30;

/**
 * What an hour of a GPU costs, in hours of a core, when the sweep does not say: clouds list an H100 at 2 to 5 dollars an hour in
 * 2026, and a core at some 0.05. Who pays another price, or owns the machines, says so (`template.gpuPrice`).
 */
export const GPU_PRICE = 60;

/** The resource that a pod with a GPU asks for one of, when the sweep names no other. */
export const GPU_RESOURCE = 'nvidia.com/gpu';

/** @returns GiB of the GPU: as the sweep says, or as the name of a part of one does (nvidia.com/mig-1g.10gb) */
function gpuMemory({ gpuMemory, gpuResource }: SweepSpec['template']): number {
  const ofPart = /\.(\d+)gb\b/.exec(gpuResource ?? '')?.[1];
  return gpuMemory ?? (ofPart === undefined ? GPU.memory : Number(ofPart));
}

/** Of one step of one lineage. Forward, gradient of the weights, gradient of the input: two operations a weight and image each. */
const computingSeconds = (sizes: readonly number[], batchSize: number): number =>
  (6 * weightCount(sizes) * batchSize) / GPU.flopsPerSecond;

/**
 * Seconds of a GPU for one step of a lineage: its computing, and its share of what beginning the operations takes. Masks
 * change nothing of it: the arrays are whole.
 * @param each lineages of its shape
 * @param alike those of them whose training is the same, which take their steps together
 */
export function gpuStepSeconds(
  { lineagesPerPack, template, training: { batchSize } }: SweepSpec,
  sizes: readonly number[],
  each: number,
  alike: number,
): number {
  const most = lineagesPerPack === 'auto' ? lineagesTogether(sizes, batchSize, template) : lineagesPerPack;
  return computingSeconds(sizes, batchSize) + (Math.ceil(each / most) * GPU.secondsPerStep) / alike;
}

/**
 * Lineages of one shape that a GPU trains together: as many as its memory holds, and no more than make it faster.
 * @param sizes units of each layer, input and output included
 */
export function lineagesTogether(sizes: readonly number[], batchSize: number, template: SweepSpec['template']): number {
  const weights = weightCount(sizes);
  const units = sizes.reduce((sum, size) => sum + size, 0);
  const bytes = GPU.bytesPerWeight * weights + GPU.bytesPerActivation * units * batchSize;
  const fitting = (GPU.usableShare * gpuMemory(template) * GIBIBYTE) / bytes;
  const worthwhile = (GPU.worthwhile * GPU.secondsPerStep) / computingSeconds(sizes, batchSize);
  return Math.max(1, Math.floor(Math.min(fitting, Math.ceil(worthwhile))));
}

/**
 * The lineages of each pack of a part, in the order of the grid. `auto` is one on a processor, since a pod has one core and a
 * lineage keeps it busy; with a GPU a pack has lineages of one shape alone, and those of a shape are spread evenly. Parallelism has
 * no say: it may change while pods are at work, and pack i must stay what it was.
 *
 * @param shapes sizes of each network of the grid
 * @param each lineages of each network
 */
export function packSizes(
  { lineagesPerPack, training, ...spec }: SweepSpec,
  shapes: readonly number[][],
  each: number,
  part?: Part,
): number[] {
  const template = templateOf(spec.template, part);
  if (lineagesPerPack === 'auto' && template.accelerator === 'gpu')
    return shapes.flatMap((sizes) => evenly(each, lineagesTogether(sizes, training.batchSize, template)));
  const most = lineagesPerPack === 'auto' ? 1 : lineagesPerPack;
  const lineages = shapes.length * each;
  return Array.from({ length: Math.ceil(lineages / most) }, (_, pack) => Math.min(most, lineages - pack * most));
}

/** `count` in as few parts of at most `most` as there can be, no two of which differ by more than one. */
function evenly(count: number, most: number): number[] {
  const parts = Math.ceil(count / most);
  return Array.from({ length: parts }, (_, part) => Math.floor(count / parts) + (part < count % parts ? 1 : 0));
}
