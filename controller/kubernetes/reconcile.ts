/** One look at a sweep, one decision, and what it asks for. */

import { isDeepStrictEqual } from 'node:util';
import { decodeDefinition } from '../../sweep/definition';
import type { DatasetShape } from '../../sweep/spec';
import type { Cluster } from './cluster';
import { type Action, decide, hasFailedPods, isOfPlan, type Observed } from './decide';
import type { LedgerView } from './ledger';
import { configMapOf, jobOf, type PodSettings } from './manifests';
import { REVISION_LABEL } from './names';
import { type Plan, planOf, type Refusal, sharesLineages } from './plan';
import type { Job, PruneSweep } from './resource';

/** What a reconcile needs of the world. */
export interface World {
  cluster: Cluster;
  ledger: LedgerView;
  pods: PodSettings;
  /** Of MNIST, which pods bring along. */
  shape: DatasetShape;
}

/** What was done, for the log, and after how many seconds to look again although nothing changed. */
export interface Done {
  actions: string[];
  state: string | undefined;
  againAfter: number | undefined;
}

export async function reconcile(name: string, world: World): Promise<Done | undefined> {
  const observed = await observe(name, world);
  if (observed === undefined) return undefined; // deleted: what it owned goes by its owner references
  const { actions, status, events, againAfter } = decide(observed);
  const { sweep, plan } = observed;
  for (const action of actions) await act(action, sweep, plan, world);
  for (const event of events) await world.cluster.tell(sweep, event);
  if (status !== undefined && !isDeepStrictEqual(status, sweep.status)) await world.cluster.writeStatus(sweep, status);
  return { actions: actions.map(({ kind }) => kind), state: status?.state, againAfter };
}

async function observe(name: string, { cluster, ledger, shape }: World): Promise<Observed | undefined> {
  const sweep = cluster.sweep(name);
  if (sweep === undefined) return undefined;
  const plan = planOf(sweep, shape);
  const jobs = cluster.jobsOf(sweep);
  const isCurrent = (job: Job) => !('problems' in plan) && job.metadata?.labels?.[REVISION_LABEL] === plan.revision;
  const failing = jobs.filter((job) => isCurrent(job) && hasFailedPods(job));
  const older = jobs.filter((job) => !isCurrent(job));
  const [stillOfUse, failedPods, word] = await Promise.all([
    'problems' in plan ? new Set<string>() : jobsOfUse(older, plan, cluster),
    Promise.all(failing.map((job) => cluster.failedPods(job))).then((pods) => pods.flat()),
    'problems' in plan ? ({ kind: 'strange' } as const) : ledger.wordOf(name, plan),
  ]);
  return { ...{ sweep, plan, jobs, stillOfUse, failedPods, word }, now: cluster.clock.now };
}

async function jobsOfUse(older: readonly Job[], plan: Plan, cluster: Cluster): Promise<Set<string>> {
  const names = new Set<string>();
  for (const job of older) {
    const text = await cluster.sweepFileOf(job);
    if (text === undefined) continue;
    const definition = decodeDefinition(JSON.stringify({ sweep: text, shape: plan.definition.shape }));
    if (sharesLineages(plan.definition, definition)) names.add(job.metadata!.name!);
  }
  return names;
}

async function act(action: Action, sweep: PruneSweep, plan: Plan | Refusal, world: World): Promise<void> {
  const { cluster, ledger, pods } = world;
  switch (action.kind) {
    case 'publish':
      return ledger.publish(plan as Plan);
    case 'withdraw':
      return ledger.withdraw(sweep.metadata.name!);
    case 'hold':
    case 'release':
      return cluster.setHold(sweep, action.kind === 'hold');
    case 'create': {
      const job = jobOf(sweep, plan as Plan, action.stage, action.parallelism, pods);
      return cluster.create(sweep, configMapOf(sweep, plan as Plan, action.stage), job);
    }
    case 'scale': {
      const { job, parallelism, suspend } = action;
      return cluster.scale(job, { parallelism, ...(suspend === undefined ? {} : { suspend }) });
    }
    case 'delete':
      return cluster.delete(action.job, isOfPlan(plan as Plan, action.job));
  }
}
