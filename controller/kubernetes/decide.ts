/** Every rule of the controller: from what is seen of a sweep to what is done about it and what its status says. Pure. */
import { FINALIZER, REVISION_LABEL } from './names';
import type { Plan, Refusal, Stage } from './plan';
import type { Condition, ConditionType, Job, PruneSweep, SweepStatus } from './resource';

/** What the aggregator says of a sweep. */
export type Word =
  /** It cannot be asked, or cannot say: why. */
  | { kind: 'away'; reason: string }
  /** It does not know the sweep, or another grid of its name. */
  | { kind: 'strange' }
  | {
      kind: 'known';
      recorded: number;
      failed: number;
      running: number;
      isComplete: boolean;
      best?: string;
      timeLeft?: string;
      failedTrials: { trial: string; reason: string }[];
    };

/** The end of a pod that failed. */
export interface PodEnd {
  /** `pack 3`, or `dense 3` of a part. */
  pack: string;
  reason: string;
}

export interface Observed {
  sweep: PruneSweep;
  plan: Plan | Refusal;
  /** All that the sweep owns. */
  jobs: readonly Job[];
  /** Names of Jobs of other revisions that work on dense networks of this one. */
  stillOfUse: ReadonlySet<string>;
  failedPods: readonly PodEnd[];
  word: Word;
  now: Date;
}

export type Action =
  | { kind: 'publish' }
  | { kind: 'withdraw' }
  | { kind: 'hold' | 'release' }
  | { kind: 'create'; stage: Stage; parallelism: number }
  | { kind: 'scale'; job: string; parallelism: number; suspend?: boolean }
  | { kind: 'delete'; job: string };

export interface Happening {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

export interface Decision {
  actions: Action[];
  /** Undefined for a sweep that is going away. */
  status: SweepStatus | undefined;
  events: Happening[];
  /** Look again after so many seconds although nothing changed. */
  againAfter?: number;
}

/** How long after a Job's end its last record may still be on its way to the table. */
const SECONDS_FOR_LAST_RECORDS = 15;
const MOST_FAILED_TRIALS = 20;

export function decide(observed: Observed): Decision {
  const { sweep, plan } = observed;
  if (sweep.metadata.deletionTimestamp !== undefined) return leave(sweep);
  if ('problems' in plan) return refuse(observed, plan);
  const view = viewOf(observed, plan);
  const status = statusOf(observed, plan, view);
  const { againAfter } = view;
  return {
    actions: actionsOf(observed, plan, view),
    status,
    events: eventsOf(sweep, status),
    ...(againAfter === undefined ? {} : { againAfter }),
  };
}

function leave({ metadata }: PruneSweep): Decision {
  const isHeld = metadata.finalizers?.includes(FINALIZER) === true;
  return { actions: isHeld ? [{ kind: 'withdraw' }, { kind: 'release' }] : [], status: undefined, events: [] };
}

/** Nothing is started, and what was started before the sweep was changed for the worse goes on. */
function refuse(observed: Observed, { problems }: Refusal): Decision {
  const { sweep, jobs } = observed;
  const packs = packsOf(jobs.filter((job) => !isFinished(job)));
  const say = conditionsOf(observed);
  const status: SweepStatus = {
    ...(sweep.status ?? { trials: { total: 0, recorded: 0, failed: 0, running: 0 }, networks: 0 }),
    ...{ observedGeneration: sweep.metadata.generation ?? 0, state: 'Rejected', packs },
    conditions: [
      say('Accepted', 'False', 'Invalid', problems.join('\n')),
      say('Suspended', 'False', 'Invalid', 'nothing is started'),
      say('Complete', 'False', 'Invalid', 'there is no grid to be complete'),
      say('Failed', 'False', 'Invalid', 'nothing was started'),
      say('MetricsComplete', 'Unknown', 'Invalid', 'there is no grid whose records could be counted'),
    ],
  };
  return { actions: [], status, events: eventsOf(sweep, status) };
}

/** What follows from the observation, and is asked for more than once. */
interface View {
  /** The Job of the last stage that was begun. */
  current: Job | undefined;
  /** The stage to begin now. */
  next: Stage | undefined;
  older: Job[];
  recorded: number;
  failed: number;
  running: number;
  isComplete: boolean;
  isSuspended: boolean;
  failure: { reason: string; message: string } | undefined;
  againAfter: number | undefined;
}

function viewOf({ sweep, jobs, word, now }: Observed, plan: Plan): View {
  const revision = (job: Job) => job.metadata?.labels?.[REVISION_LABEL];
  const stageJobs = plan.stages.map(({ job }) => jobs.find(({ metadata }) => metadata?.name === job));
  // Of a stage before it the Job may be gone, a day after its end.
  const at = stageJobs.findLastIndex((job) => job !== undefined);
  const current = stageJobs[at];
  const next = current === undefined || isFinished(current) ? plan.stages[at + 1] : undefined;
  const older = jobs.filter((job) => revision(job) !== plan.revision);
  const known = word.kind === 'known' ? word : undefined;
  const before = isSameGrid(sweep, plan) ? sweep.status : undefined;
  const recorded = known?.recorded ?? before?.trials.recorded ?? 0;
  const missing = plan.trials - recorded;
  const isOver = current !== undefined && isFinished(current) && next === undefined;
  const secondsOver = isOver ? (now.getTime() - endOf(current)) / 1000 : 0;
  const isSettled = isOver && known !== undefined && secondsOver >= SECONDS_FOR_LAST_RECORDS;
  // A pack that failed has at least one trial without a record; how many they are is known when all is over. The Job that
  // says so is gone a day later.
  const failedOfPacks = current === undefined ? (before?.trials.failed ?? 0) : packsOf([current]).failed;
  const failed = isSettled ? missing : Math.max(known?.failed ?? 0, Math.min(failedOfPacks, missing));
  const wasComplete = before !== undefined && conditionOf(sweep, 'Complete')?.status === 'True';
  const isTolerated =
    failed === missing && failed <= plan.spec.maxFailedTrials && (isSettled || (!current && wasComplete));
  const isComplete = isTolerated || (known?.isComplete ?? wasComplete);
  const queued = plan.spec.template.queueName !== undefined;
  return {
    ...{ current, next, older, recorded, failed, isComplete },
    running: current === undefined ? 0 : (known?.running ?? 0),
    isSuspended: plan.spec.suspend || (queued && current?.spec?.suspend === true),
    failure: isComplete ? undefined : failureOf(sweep, plan, current, known?.failed ?? 0, failed, isSettled),
    againAfter: isOver && !isComplete && !isSettled ? Math.max(1, SECONDS_FOR_LAST_RECORDS - secondsOver) : undefined,
  };
}

/** @param diverged of the trials that failed those that the ledger says so of: they would fail again, bit for bit */
function failureOf(
  sweep: PruneSweep,
  plan: Plan,
  current: Job | undefined,
  diverged: number,
  failed: number,
  isSettled: boolean,
): View['failure'] {
  const { spec, trials } = plan;
  const { name } = sweep.metadata;
  const retry = `kubectl prunesweep retry ${name} tries them again`;
  if (failed > spec.maxFailedTrials) {
    const allow = `set maxFailedTrials to ${failed} to go on without them`;
    const mend = diverged > spec.maxFailedTrials ? allow : `${retry}, or ${allow}`;
    const [reason, what] =
      isSettled && failed > diverged
        ? ['TrialsMissing', `all pods have ended and ${failed} of ${trials} trials have no record`]
        : ['TooManyFailedTrials', `${failed} of ${trials} trials failed`];
    return { reason, message: `${what}, spec.maxFailedTrials is ${spec.maxFailedTrials}; ${mend}` };
  }
  const ended = current?.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  if (ended !== undefined && ended.reason !== 'FailedIndexes')
    return {
      reason: ended.reason ?? 'JobFailed',
      message: `the Job ended: ${ended.message ?? ''}; kubectl prunesweep logs ${name} shows its pods, and when the cause is mended ${retry}`,
    };
  const before = current === undefined ? conditionOf(sweep, 'Failed') : undefined;
  return before?.status === 'True' && isOfPlan(plan, sweep.status?.job)
    ? { reason: before.reason, message: before.message }
    : undefined;
}

function actionsOf({ sweep, stillOfUse, word }: Observed, plan: Plan, view: View): Action[] {
  const { current, next, older, isComplete, failure } = view;
  const { suspend, parallelism, template, recordRetention } = plan.spec;
  const actions: Action[] = [];
  const isHeld = sweep.metadata.finalizers?.includes(FINALIZER) === true;
  if (recordRetention === 'Delete' && !isHeld) actions.push({ kind: 'hold' });
  if (recordRetention !== 'Delete' && isHeld) actions.push({ kind: 'release' });
  if (word.kind === 'strange') actions.push({ kind: 'publish' });

  const isQueued = template.queueName !== undefined;
  const isStopped = suspend || failure !== undefined;
  const isNeeded = !isComplete && !isStopped;
  let left = parallelism;
  for (const job of older) {
    const name = job.metadata!.name!;
    // Its pods count, and what they leave free is the current revision's.
    if (isNeeded && !isFinished(job) && stillOfUse.has(name)) left -= Math.min(left, packsOf([job]).active);
    else actions.push({ kind: 'delete', job: name });
  }
  if (next !== undefined && isNeeded) actions.push({ kind: 'create', stage: next, parallelism: left });
  if (current === undefined || isFinished(current)) return actions;
  const job = current.metadata!.name!;
  // Kueue starts and stops its Jobs itself; one that must not be started is taken from it.
  if (isQueued && isStopped) return [...actions, { kind: 'delete', job }];
  const change: { parallelism?: number; suspend?: boolean } = {};
  if (current.spec?.parallelism !== left) change.parallelism = left;
  if (!isQueued && (current.spec?.suspend ?? false) !== isStopped) change.suspend = isStopped;
  if (Object.keys(change).length > 0)
    actions.push({
      ...{ kind: 'scale', job, parallelism: left },
      ...(isQueued ? {} : { suspend: isStopped }),
    });
  return actions;
}

function statusOf(observed: Observed, plan: Plan, view: View): SweepStatus {
  const { sweep, jobs, word } = observed;
  const { generation } = sweep.metadata;
  const { recorded, failed, running, isComplete, isSuspended, failure, current } = view;
  const packs = { ...packsOf(jobs), total: plan.stages.reduce((sum, stage) => sum + stage.packs, 0) };
  const known = word.kind === 'known' ? word : undefined;
  const failedTrials = failedTrialsOf(observed);
  const best = known?.best ?? (isSameGrid(sweep, plan) ? sweep.status?.best : undefined);
  return {
    observedGeneration: generation ?? 0,
    state: isComplete
      ? 'Complete'
      : failure !== undefined
        ? 'Failed'
        : isSuspended
          ? 'Suspended'
          : packs.active > 0
            ? 'Running'
            : 'Waiting',
    trials: { total: plan.trials, recorded, failed, running },
    ...{ packs, networks: plan.networks },
    ...(best === undefined ? {} : { best }),
    ...(known?.timeLeft === undefined || isComplete ? {} : { timeLeft: known.timeLeft }),
    job: current?.metadata?.name ?? plan.stages[0]!.job,
    ...(failedTrials.length === 0 ? {} : { failedTrials }),
    conditions: conditionList(observed, plan, view),
  };
}

function conditionList(observed: Observed, plan: Plan, view: View): Condition[] {
  const { word } = observed;
  const { recorded, isComplete, isSuspended, failure } = view;
  const say = conditionsOf(observed);
  const progress = `${recorded} of ${plan.trials} trials are recorded`;
  const queue = plan.spec.template.queueName;
  const suspended = plan.spec.suspend
    ? say('Suspended', 'True', 'SpecSuspend', 'spec.suspend is true; set it to false to go on')
    : isSuspended
      ? say('Suspended', 'True', 'Queued', `waits for Kueue to admit it to the queue ${queue}`)
      : say('Suspended', 'False', 'NotSuspended', 'its pods may run');
  return [
    say('Accepted', 'True', 'Accepted', `${plan.trials} trials in ${packsText(plan)} packs`),
    suspended,
    isComplete
      ? recorded === plan.trials
        ? say('Complete', 'True', 'AllRecorded', 'every trial of the grid is recorded')
        : say('Complete', 'True', 'FailuresTolerated', `${progress}, spec.maxFailedTrials allows for the rest`)
      : say('Complete', 'False', failure === undefined ? 'TrialsMissing' : 'Failed', progress),
    failure === undefined
      ? say('Failed', 'False', 'NotFailed', progress)
      : say('Failed', 'True', failure.reason, failure.message),
    metricsCondition(say, word, progress),
  ];
}

function metricsCondition(say: ReturnType<typeof conditionsOf>, word: Word, progress: string): Condition {
  switch (word.kind) {
    case 'away':
      return say(
        'MetricsComplete',
        'Unknown',
        'AggregatorAway',
        `${word.reason}; the counts are the last that were known`,
      );
    case 'strange':
      return say('MetricsComplete', 'Unknown', 'NotYetKnown', 'the aggregator has not been told of this grid yet');
    case 'known':
      return word.isComplete
        ? say('MetricsComplete', 'True', 'AllInTable', 'every trial of the grid has its record in the table')
        : say('MetricsComplete', 'False', 'TrialsMissing', progress);
  }
}

function failedTrialsOf({ word, failedPods }: Observed): { trial: string; reason: string }[] {
  const pods = failedPods.map(({ pack, reason }) => ({ trial: pack, reason }));
  return [...(word.kind === 'known' ? word.failedTrials : []), ...pods].slice(0, MOST_FAILED_TRIALS);
}

/** Says conditions, with the time of the last change of each. */
const conditionsOf =
  ({ sweep, now }: Observed) =>
  (type: ConditionType, status: Condition['status'], reason: string, message: string): Condition => {
    const before = conditionOf(sweep, type);
    return {
      ...{ type, status, reason, message, observedGeneration: sweep.metadata.generation ?? 0 },
      lastTransitionTime:
        before?.status === status ? before.lastTransitionTime : now.toISOString().replace(/\.\d+Z$/, 'Z'),
    };
  };

/** What people are told when it begins: a condition that became true, a spec that was refused, an aggregator that is away. */
function eventsOf(sweep: PruneSweep, status: SweepStatus): Happening[] {
  return status.conditions.flatMap((condition): Happening[] => {
    const { type, status: now, reason, message } = condition;
    const before = conditionOf(sweep, type);
    if (before?.status === now && before.reason === reason) return [];
    if (type === 'Accepted') return [{ type: now === 'True' ? 'Normal' : 'Warning', reason, message }];
    if (type === 'MetricsComplete') return reason === 'AggregatorAway' ? [{ type: 'Warning', reason, message }] : [];
    return now === 'True' ? [{ type: type === 'Failed' ? 'Warning' : 'Normal', reason, message }] : [];
  });
}

const conditionOf = ({ status }: PruneSweep, type: ConditionType): Condition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);
/** Whether the status speaks of the grid of the plan. */
const isSameGrid = ({ status }: PruneSweep, plan: Plan): boolean =>
  isOfPlan(plan, status?.job) && status?.trials.total === plan.trials;

/** Whether the plan has a Job of that name, now or in time. */
export const isOfPlan = ({ stages }: Plan, job: string | undefined): boolean =>
  stages.some((stage) => stage.job === job);

/** `4`, or `1 dense and 4 pruned`. */
const packsText = ({ stages }: Plan): string =>
  stages.map(({ packs, part }) => [packs, part ?? []].flat().join(' ')).join(' and ');

const endingOf = ({ status }: Job) =>
  status?.conditions?.find(({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True');
const isFinished = (job: Job): boolean => endingOf(job) !== undefined;
const endOf = (job: Job): number => new Date(endingOf(job)?.lastTransitionTime ?? 0).getTime();

/** Numbers of packs, of all Jobs together. */
function packsOf(jobs: readonly Job[]): SweepStatus['packs'] {
  const sum = (count: (job: Job) => number) => jobs.reduce((total, job) => total + count(job), 0);
  return {
    total: sum(({ spec }) => spec?.completions ?? 0),
    active: sum(({ status }) => status?.active ?? 0),
    succeeded: sum(({ status }) => countOfIndexes(status?.completedIndexes)),
    failed: sum(({ status }) => countOfIndexes(status?.failedIndexes)),
  };
}

/** An index counts as failed a moment before its pod does: whoever learns of the one must learn the reason of the other. */
export const hasFailedPods = ({ status }: Job): boolean =>
  (status?.failed ?? 0) > 0 || countOfIndexes(status?.failedIndexes) > 0;

/** `1,3-5` are four. */
export const countOfIndexes = (text: string | undefined): number =>
  (text ?? '')
    .split(',')
    .filter((part) => part !== '')
    .reduce((count, part) => {
      const [first, last = first] = part.split('-').map(Number) as [number, number?];
      return count + last! - first + 1;
    }, 0);
