/** What goes wrong on a node, what a person does to it meanwhile, and when: drawn from a seed. */
import { RandomStream } from '../../../trainer/random';

const KINDS = [
  'trainer killed',
  'trainer deleted',
  'node drained',
  'kubelet stopped',
  'disk full',
  'GPU unhealthy',
  'NATS deleted',
  'aggregator deleted',
  'controller deleted',
  'all deleted',
  'upgrade',
] as const;
export type PodFaultKind = (typeof KINDS)[number];

export interface PodFault {
  kind: PodFaultKind;
  /** ms after the first trainer runs, and how long it lasts. */
  at: number;
  lasts: number;
  /** Which of the trainers that run then, by its place modulo their number. */
  whom: number;
}

export interface PodSchedule {
  seed: number;
  faults: PodFault[];
  /** Whether the sweep is applied with a memory limit that no trainer can live with, as a person's mistake. */
  isMemoryTooLow: boolean;
  spec: object;
}

/** Without faults all is over by then. */
const WINDOW = 15_000;
const LASTS: Partial<Record<PodFaultKind, number>> = { 'kubelet stopped': 20_000 };
/** Of the node: a schedule has one of them at most. */
const OF_NODE: readonly PodFaultKind[] = ['node drained', 'kubelet stopped', 'disk full'];

export const resourcesOf = (memory: string) => ({
  requests: { cpu: '100m', memory: '64Mi' },
  limits: { memory, 'nvidia.com/gpu': '1' },
});
export const ENOUGH_MEMORY = '700Mi';

/** Of seeds in a row each has another kind for sure, so that a campaign has them evenly. */
export function podScheduleOf(seed: number): PodSchedule {
  const stream = new RandomStream(seed, 'pod faults');
  const draw = (kind: PodFaultKind): PodFault => ({
    ...{ kind, at: 500 + stream.below(WINDOW), whom: stream.below(100) },
    lasts: LASTS[kind] ?? 500 + stream.below(8000),
  });
  const more = Array.from({ length: stream.below(4) }, () => KINDS[stream.below(KINDS.length)]!);
  const faults = [KINDS[seed % KINDS.length]!, ...more]
    .filter((kind, at, all) => !OF_NODE.includes(kind) || all.findIndex((one) => OF_NODE.includes(one)) === at)
    .map(draw)
    .sort((a, b) => a.at - b.at);
  const isMemoryTooLow = stream.below(8) === 0;
  return {
    ...{ seed, faults, isMemoryTooLow },
    spec: {
      ...{ hiddenWidths: [[100], [60, 30]], pruneRatios: [0, 0.9, 0.98], training: { epochs: 20 } },
      ...{ retraining: { epochs: 8 }, seeds: [2 * seed, 2 * seed + 1], parallelism: 2 },
      template: { resources: resourcesOf(isMemoryTooLow ? '90Mi' : ENOUGH_MEMORY) },
    },
  };
}

export const describePodSchedule = ({ seed, faults, isMemoryTooLow }: PodSchedule): string =>
  `${seed}: ${[...(isMemoryTooLow ? ['too little memory at first'] : []), ...faults.map(({ kind, at }) => `${kind} at ${at} ms`)].join(', ')}`;
