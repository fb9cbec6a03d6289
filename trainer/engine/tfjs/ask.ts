/** Which TensorFlow for Node works on this machine, and on what it computes. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { candidates, HOW_TO_INSTALL, KINDS, type Kind } from './install/place';

export interface Tfjs {
  /** To `require`. */
  path: string;
  kind: Kind;
  isOnGpu: boolean;
  /** What the records say of it beside `prunesweep` and `node`. */
  versions: { tfjs: string; libtensorflow: string; device: string };
}

export interface Answer {
  /** The one to train with: on a GPU if any is; absent when none works. */
  tfjs?: Tfjs;
  /** Absent when it is on a GPU. */
  whyNoGpu?: string;
  /** Absent when there is one. */
  whyNone?: string;
}

/**
 * In a process of its own: what suits this machine badly may end it, its complaints are the only place that says why there
 * is no GPU, and what it takes of the GPU's memory it gives back.
 */
const ASK = `
const tf = require(process.argv[1]);
if (tf.getBackend() !== 'tensorflow') throw new Error('its backend is ' + tf.getBackend());
const { binding } = tf.backend();
const versions = { tfjs: tf.version['tfjs-node'], libtensorflow: binding.TF_Version };
process.stdout.write('\\n' + JSON.stringify({ isOnGpu: binding.isUsingGpuDevice(), versions }));
`;
/** A GPU may take long to begin, above all one that is shared. */
const ANSWERS_WITHIN = 120_000;

/** `NVIDIA H100 80GB HBM3`, as the driver says it. */
function gpuName(): string {
  const folder = '/proc/driver/nvidia/gpus';
  try {
    const texts = readdirSync(folder).map((gpu) => readFileSync(join(folder, gpu, 'information'), 'utf8'));
    return texts.map((text) => /^Model:\s*(.+)$/m.exec(text)?.[1]).find((name) => name !== undefined) ?? 'gpu';
  } catch {
    return 'gpu';
  }
}

/** What TensorFlow says when it looks for a GPU in vain, most telling first. */
const REASONS = [/failed call to cuInit: .*/, /Could not load dynamic library '(?!libnvinfer).*/, /Cannot dlopen .*/];

export function reasonIn(stderr: string): string {
  const found = REASONS.map((pattern) => pattern.exec(stderr)?.[0]).find((line) => line !== undefined);
  return found?.replace(/; LD_LIBRARY_PATH.*/, '') ?? 'TensorFlow finds none';
}

function ask(kind: Kind, path: string): Tfjs & { said: string } {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
  const answer = spawnSync(process.execPath, ['-e', ASK, path], { env, encoding: 'utf8', timeout: ANSWERS_WITHIN });
  const { status, signal, stdout, stderr } = answer;
  if (status !== 0) {
    const error = /^(\w*Error: .*)$/m.exec(stderr ?? '')?.[1] ?? `it ends with ${signal ?? status}`;
    throw new Error(error);
  }
  const { isOnGpu, versions } = JSON.parse(stdout.slice(stdout.lastIndexOf('\n'))) as Tfjs;
  return { path, kind, isOnGpu, versions: { ...versions, device: isOnGpu ? gpuName() : 'cpu' }, said: stderr };
}

export function askTfjs(): Answer {
  let onCpu: Tfjs | undefined;
  let whyNoGpu = `TensorFlow for GPUs is not installed: ${HOW_TO_INSTALL('gpu')}`;
  let whyNone = `TensorFlow for Node is not installed: ${HOW_TO_INSTALL('cpu')}`;
  for (const kind of [...KINDS].reverse())
    for (const path of candidates(kind))
      try {
        const { said, ...tfjs } = ask(kind, path);
        if (tfjs.isOnGpu) return { tfjs };
        onCpu ??= tfjs;
        if (kind === 'gpu') whyNoGpu = reasonIn(said);
      } catch (error) {
        const why = `${path}: ${(error as Error).message}`;
        whyNone = `TensorFlow for Node does not work: ${why}; ${HOW_TO_INSTALL(kind)}`;
        if (kind === 'gpu') whyNoGpu = why;
      }
  return onCpu === undefined ? { whyNoGpu, whyNone } : { tfjs: onCpu, whyNoGpu };
}
