/** What goes wrong, when: drawn from a seed, and nothing else. */
import { RandomStream } from '../../trainer/random';
import type { Mode } from './proxy';

export const PROCESSES = ['trainer-0', 'trainer-1', 'aggregator', 'nats'] as const;
export type ProcessName = (typeof PROCESSES)[number];
export type ClientName = Exclude<ProcessName, 'nats'>;

export type Fault = {
  /** ms after the line was started, and how long it lasts. */
  at: number;
  lasts: number;
} & (
  | { kind: 'kill'; whom: ProcessName }
  | { kind: 'stop'; whom: ProcessName }
  | { kind: 'network'; whom: ClientName; mode: Exclude<Mode, 'pass'> }
  /** The aggregator is killed, and its store is gone, or garbage, when it comes back. */
  | { kind: 'store'; damage: 'deleted' | 'damaged' }
  /** NATS is killed, and comes back with its store as it was some time ago. */
  | { kind: 'restore' }
);

export interface Schedule {
  seed: number;
  faults: Fault[];
  /** Whether the clocks of trainers and aggregator jump by up to an hour, forth and back. */
  clocksJump: boolean;
}

/** Most of the work is done by then, without faults. */
const WINDOW = 4000;
const MODES = ['drop', 'stall', 'delay', 'half', 'twice'] as const;

export function scheduleOf(seed: number): Schedule {
  const stream = new RandomStream(seed, 'faults');
  const one = <T>(items: readonly T[]): T => items[stream.below(items.length)]!;
  const clients = PROCESSES.filter((name): name is ClientName => name !== 'nats');
  const draw = (): Fault => {
    const when = { at: 300 + stream.below(WINDOW), lasts: 50 + stream.below(1500) };
    const kind = one([
      'kill',
      'kill',
      'kill',
      'stop',
      'stop',
      'network',
      'network',
      'network',
      'store',
      'restore',
    ] as const);
    switch (kind) {
      case 'kill':
      case 'stop':
        return { ...when, kind, whom: one(PROCESSES) };
      case 'network':
        return { ...when, kind, whom: one(clients), mode: one(MODES) };
      case 'store':
        return { ...when, kind, damage: one(['deleted', 'damaged']) };
      case 'restore':
        return { ...when, kind };
    }
  };
  const faults = Array.from({ length: 2 + stream.below(5) }, draw).sort((a, b) => a.at - b.at);
  return { seed, faults, clocksJump: stream.below(4) === 0 };
}

const nameOf = (fault: Fault): string => {
  switch (fault.kind) {
    case 'kill':
    case 'stop':
      return `${fault.kind} ${fault.whom}`;
    case 'network':
      return `${fault.mode} ${fault.whom}`;
    case 'store':
      return `store ${fault.damage}`;
    case 'restore':
      return 'nats brought back from a copy';
  }
};

export const describeSchedule = ({ seed, faults, clocksJump }: Schedule): string =>
  `${seed}: ${[...faults.map((fault) => `${nameOf(fault)} at ${fault.at} ms`), ...(clocksJump ? ['clocks jump'] : [])].join(', ')}`;

export const kindsOf = ({ faults, clocksJump }: Schedule): string[] => [
  ...faults.map((fault) => (fault.kind === 'network' ? fault.mode : fault.kind)),
  ...(clocksJump ? ['clock'] : []),
];
