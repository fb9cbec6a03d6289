/** The objects of the API server as the controller sees them: what it reads and writes of them, and no more. */
import type { V1ConfigMap, V1Job, V1ObjectMeta } from '@kubernetes/client-node';

export const GROUP = 'prunesweep.dev';
export const VERSION = 'v1alpha1';
export const KIND = 'PruneSweep';
export const PLURAL = 'prunesweeps';

export const CONDITIONS = ['Accepted', 'Suspended', 'Complete', 'Failed', 'MetricsComplete'] as const;
export type ConditionType = (typeof CONDITIONS)[number];

export interface Condition {
  type: ConditionType;
  status: 'True' | 'False' | 'Unknown';
  /** One word for programs. */
  reason: string;
  /** A sentence for people, with what to do where something can be done. */
  message: string;
  observedGeneration: number;
  lastTransitionTime: string;
}

export const STATES = ['Rejected', 'Waiting', 'Running', 'Suspended', 'Complete', 'Failed'] as const;

export interface SweepStatus {
  observedGeneration: number;
  /** One word of `STATES` for the table of kubectl. */
  state: (typeof STATES)[number];
  trials: { total: number; recorded: number; failed: number; running: number };
  packs: { total: number; active: number; succeeded: number; failed: number };
  networks: number;
  /** `97.31 % at 2657`: the best mean accuracy at the smallest count that has one. */
  best?: string;
  /** `2h5m`. */
  timeLeft?: string;
  /** The Job that carries the sweep as it is specified now. */
  job?: string;
  /** Up to 20 trials that failed and why. */
  failedTrials?: { trial: string; reason: string }[];
  conditions: Condition[];
}

export interface PruneSweep {
  metadata: V1ObjectMeta;
  spec: Record<string, unknown>;
  status?: SweepStatus;
}

export type ConfigMap = V1ConfigMap;
export type Job = V1Job;
