/** With which engine to train, and why. */
import { NoGpuError, UnavailableError } from '../../sweep/errors';
import { lineagesTogether } from '../../sweep/packs';
import type { PodTemplate, SweepSpec } from '../../sweep/spec';
import type { Lineage } from '../../sweep/trial';
import type { Answer, Tfjs } from './tfjs/ask';

export const ENGINES = ['wasm', 'tfjs', 'auto'] as const;
export type EngineChoice = (typeof ENGINES)[number];

export interface ChosenEngine {
  /** Absent for the wasm engine. */
  tfjs?: Pick<Tfjs, 'path' | 'isOnGpu'>;
  /** What records say of it beside the versions of prunesweep and Node. */
  versions: Record<string, string>;
  /** Nothing when it was asked for and there is nothing to know. */
  note?: string;
}

const wasm = (note?: string): ChosenEngine => ({
  versions: {},
  ...(note === undefined ? {} : { note }),
});

function tfjs({ tfjs: found, whyNoGpu }: Answer): ChosenEngine {
  const { tfjs: version, libtensorflow, device } = found!.versions;
  const on = found!.isOnGpu ? `on the GPU (${device})` : `on the processor, since there is no GPU: ${whyNoGpu}`;
  return {
    tfjs: { path: found!.path, isOnGpu: found!.isOnGpu },
    versions: found!.versions,
    note: `engine tfjs ${version} with libtensorflow ${libtensorflow}, ${on}`,
  };
}

/**
 * What `--engine` means on this machine. `auto` is the GPU if there is one.
 * @param ask what TensorFlow there is; takes a second
 * @throws UnavailableError when tfjs is wanted and not there
 */
export function chooseEngine(wanted: EngineChoice, ask: () => Answer): ChosenEngine {
  if (wanted === 'wasm') return wasm();
  const answer = ask();
  if (wanted === 'auto' && answer.tfjs?.isOnGpu !== true)
    return wasm(`engine wasm, since there is no GPU: ${answer.whyNoGpu}`);
  if (answer.tfjs === undefined) throw new UnavailableError(`--engine tfjs: ${answer.whyNone}`);
  return tfjs(answer);
}

/**
 * The engine of a pod, by its sweep's template. A pod that asked for a GPU holds it: training on its processor would waste
 * the GPU for days, unseen.
 * @throws NoGpuError when it asked for a GPU, has none that works, and the sweep does not allow for that
 */
export function engineOfPod({ accelerator, allowCpu }: PodTemplate, ask: () => Answer): ChosenEngine {
  if (accelerator !== 'gpu') return wasm();
  const answer = ask();
  if (answer.tfjs?.isOnGpu === true) return tfjs(answer);
  if (allowCpu === true) return wasm(`engine wasm, since there is no GPU: ${answer.whyNoGpu}`);
  throw new NoGpuError(
    `spec.template.accelerator: gpu, and this pod has no GPU that works: ${answer.whyNoGpu}. See docs/operating.md for what a pod with a GPU needs; \`allowCpu: true\` in the template trains on the processor instead`,
  );
}

/** Of tfjs on a processor, where more in one tensor gain nothing any more (bench/README.md). */
const TOGETHER_ON_CPU = 8;

/** How many lineages train together in one engine. */
export function lineagesPerEngine(
  { isOnGpu }: Pick<Tfjs, 'isOnGpu'>,
  lineages: readonly Pick<Lineage, 'sizes'>[],
  { training, template }: Pick<SweepSpec, 'training' | 'template'>,
): number {
  if (!isOnGpu) return TOGETHER_ON_CPU;
  return Math.max(...lineages.map(({ sizes }) => lineagesTogether(sizes, training.batchSize, template)));
}
