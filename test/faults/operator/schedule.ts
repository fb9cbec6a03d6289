/** What goes wrong around the controller, what a person does to the sweep meanwhile, and when: drawn from a seed. */
import { RandomStream } from '../../../trainer/random';

const KINDS = [
  'controller killed',
  'controller stopped',
  'API server killed',
  'etcd paused',
  'watches cut',
  'watches stalled',
  'NATS killed',
  'aggregator ended',
  'pod evicted',
] as const;
export type FaultKind = (typeof KINDS)[number];

export interface OperatorFault {
  kind: FaultKind;
  /** ms after the sweep was applied, and how long it lasts. */
  at: number;
  lasts: number;
}

export interface Edit {
  at: number;
  spec: object;
}

export interface OperatorSchedule {
  seed: number;
  faults: OperatorFault[];
  edits: Edit[];
  /** Whether the clock of the controller jumps by up to an hour, forth and back. */
  clockJumps: boolean;
  /** The sweep as it is applied, and as it is in the end. */
  spec: object;
  last: object;
  /** Which pods take how long, in ms. */
  workLasts(): number;
}

const WINDOW = 10_000;
/** A person's wishes, none of which takes away what another adds. */
const WISHES = [
  { suspend: true },
  { suspend: false },
  { parallelism: 1 },
  { parallelism: 3 },
  { hiddenWidths: [[3], [4], [5]] },
  { hiddenWidths: [[4], [5]] },
];

/** One controller more than its lease is stopped at most so long. */
const LONGEST: Partial<Record<FaultKind, number>> = { 'controller stopped': 15_000, 'etcd paused': 10_000 };

export function operatorScheduleOf(seed: number): OperatorSchedule {
  const stream = new RandomStream(seed, 'operator faults');
  const one = <T>(items: readonly T[]): T => items[stream.below(items.length)]!;
  const byTime = (a: { at: number }, b: { at: number }) => a.at - b.at;
  const faults = Array.from({ length: 2 + stream.below(5) }, () => {
    const kind = one(KINDS);
    return { kind, at: stream.below(WINDOW), lasts: 50 + stream.below(LONGEST[kind] ?? 5000) };
  }).sort(byTime);
  const edits = Array.from({ length: 1 + stream.below(4) }, () => ({
    at: 500 + stream.below(WINDOW),
    spec: one(WISHES),
  })).sort(byTime);
  const work = new RandomStream(seed, 'work of pods');
  return {
    ...{ seed, faults, edits, clockJumps: stream.below(3) === 0 },
    spec: { hiddenWidths: [[3], [4]], pruneRatios: [0, 0.5], seeds: [2 * seed, 2 * seed + 1], parallelism: 2 },
    last: { suspend: false, parallelism: 2, hiddenWidths: [[3], [4], one([[5], [6]])] },
    workLasts: () => 200 + work.below(4000),
  };
}

export const describeOperatorSchedule = ({ seed, faults, edits, clockJumps }: OperatorSchedule): string =>
  [
    `${seed}: ${faults.map(({ kind, at, lasts }) => `${kind} at ${at} for ${lasts} ms`).join(', ')}`,
    ...edits.map(({ at, spec }) => `${JSON.stringify(spec)} at ${at} ms`),
    ...(clockJumps ? ['its clock jumps'] : []),
  ].join(', ');
