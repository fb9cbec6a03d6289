/** PruneSweeps, their Jobs and what is said of them, for tests: small, and true to their types. */
import type { Observed, Word } from '../../../controller/kubernetes/decide';
import { jobOf, type PodSettings } from '../../../controller/kubernetes/manifests';
import { type Plan, planOf } from '../../../controller/kubernetes/plan';
import type { Job, PruneSweep, SweepStatus } from '../../../controller/kubernetes/resource';
import { MNIST } from '../../fixtures';

export const NOW = new Date('2026-11-24T12:00:00Z');
export const PODS: PodSettings = {
  ...{ image: 'prunesweep:test', natsSecret: 'prunesweep-trainer', hasAuthority: false },
  serviceAccount: 'prunesweep-trainer',
  gpuPods: {},
};

/** Two networks x three ratios x two seeds: 12 trials in 4 packs. */
export const SPEC = { hiddenWidths: [[5], [4, 3]], pruneRatios: [0, 0.5, 0.9], seeds: 2, parallelism: 3 };

export const sweepOf = (spec: object = {}, metadata: object = {}, status?: SweepStatus): PruneSweep => ({
  metadata: { name: 'test', namespace: 'sweeps', uid: 'u1', generation: 1, resourceVersion: '1', ...metadata },
  spec: { ...SPEC, ...spec },
  ...(status === undefined ? {} : { status }),
});

export function planOfSweep(sweep: PruneSweep): Plan {
  const plan = planOf(sweep, MNIST);
  if ('problems' in plan) throw new Error(plan.problems.join('\n'));
  return plan;
}

/** The Job of a sweep, or of its second stage, as it was once created, and how far it is. */
export const jobOfSweep = (
  sweep: PruneSweep,
  status: Job['status'] = {},
  spec: Job['spec'] | object = {},
  stage = 0,
): Job => {
  const plan = planOfSweep(sweep);
  const job = jobOf(sweep, plan, plan.stages[stage]!, plan.spec.parallelism, PODS);
  return { ...job, spec: { ...job.spec!, ...spec }, status };
};

export const ended = (type: 'Complete' | 'Failed', secondsAgo: number, reason = ''): Job['status'] => ({
  conditions: [{ type, status: 'True', reason, lastTransitionTime: new Date(NOW.getTime() - 1000 * secondsAgo) }],
});

export const known = (recorded: number, rest: Partial<Extract<Word, { kind: 'known' }>> = {}): Word => ({
  ...{ kind: 'known', recorded, failed: 0, running: 0, isComplete: recorded === 12, failedTrials: [] },
  ...rest,
});

export const observed = (sweep: PruneSweep, rest: Partial<Observed> = {}): Observed => ({
  ...{ sweep, plan: planOf(sweep, MNIST), jobs: [], stillOfUse: new Set(), failedPods: [] },
  ...{ word: known(0), now: NOW },
  ...rest,
});
