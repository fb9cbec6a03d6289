import { describe, expect, it } from 'vitest';
import {
  type Action,
  countOfIndexes,
  decide,
  hasFailedPods,
  type Observed,
} from '../../../controller/kubernetes/decide';
import { FINALIZER, RETRY_ANNOTATION } from '../../../controller/kubernetes/names';
import type { ConditionType, Job, PruneSweep, SweepStatus } from '../../../controller/kubernetes/resource';
import { ended, jobOfSweep, known, observed, planOfSweep, sweepOf } from './sweeps';

const sweep = sweepOf();
const job = jobOfSweep(sweep, { active: 3 });
const name = job.metadata!.name!;
const paused = sweepOf({ suspend: true });
const queued = sweepOf({ template: { queueName: 'q' } });
const deleted = (finalizers: string[]) => sweepOf({}, { deletionTimestamp: '2026-11-24T11:00:00Z', finalizers });

/** The sweep with what was decided before as its status. */
const asDecided = (before: Observed, changed: Partial<PruneSweep> = {}): PruneSweep => ({
  ...before.sweep,
  ...changed,
  status: decide(before).status!,
});

const wider = sweepOf({ hiddenWidths: [[5], [4, 3], [6]] }, { generation: 2 });
const other = sweepOf({ hiddenWidths: [[6]] }, { generation: 2 });
const wide = planOfSweep(wider);

/** What begins a sweep, or its second stage. */
const create = (of: PruneSweep, parallelism: number, stage = 0): Action => ({
  ...{ kind: 'create', parallelism, stage: planOfSweep(of).stages[stage]! },
});

/** Two shapes: two dense packs, and four pruned ones. */
const mixed = sweepOf({ template: { accelerator: 'gpu', retrainOn: 'cpu' } });
const dense = (status: Job['status'] = {}, spec: object = {}) => jobOfSweep(mixed, status, spec, 0);
const pruned = (status: Job['status'] = {}, spec: object = {}) => jobOfSweep(mixed, status, spec, 1);
const PRUNED = pruned().metadata!.name!;
const DENSE = dense().metadata!.name!;
const after = (changed: object) => ({ ...mixed, spec: { ...mixed.spec, ...changed } });

const CASES: [string, Observed, Action[], SweepStatus['state'] | undefined][] = [
  ['begins a new sweep', observed(sweep), [create(sweep, 3)], 'Waiting'],
  [
    'tells the aggregator of a grid that it does not know',
    observed(sweep, { word: { kind: 'strange' } }),
    [{ kind: 'publish' }, create(sweep, 3)],
    'Waiting',
  ],
  [
    'begins although the aggregator is away',
    observed(sweep, { word: { kind: 'away', reason: 'x' } }),
    [create(sweep, 3)],
    'Waiting',
  ],
  ['starts no pod for what is all recorded', observed(sweep, { word: known(12) }), [], 'Complete'],
  ['lets a Job work', observed(sweep, { jobs: [job], word: known(4) }), [], 'Running'],
  [
    'follows parallelism',
    observed(sweepOf({ parallelism: 7 }), { jobs: [job] }),
    [{ kind: 'scale', job: name, parallelism: 7, suspend: false }],
    'Running',
  ],
  ['begins nothing that is suspended', observed(paused), [], 'Suspended'],
  [
    'suspends',
    observed(paused, { jobs: [job] }),
    [{ kind: 'scale', job: name, parallelism: 3, suspend: true }],
    'Suspended',
  ],
  [
    'goes on',
    observed(sweep, { jobs: [jobOfSweep(sweep, {}, { suspend: true })] }),
    [{ kind: 'scale', job: name, parallelism: 3, suspend: false }],
    'Waiting',
  ],
  ['leaves a finished Job alone', observed(sweep, { jobs: [jobOfSweep(sweep, ended('Complete', 1))] }), [], 'Waiting'],
  [
    'fails when all pods have ended and trials are missing',
    observed(sweep, { jobs: [jobOfSweep(sweep, ended('Complete', 60))], word: known(11) }),
    [],
    'Failed',
  ],
  [
    'waits for the last records to reach the table',
    observed(sweep, { jobs: [jobOfSweep(sweep, ended('Complete', 5))], word: known(11) }),
    [],
    'Waiting',
  ],
  [
    'stops when more trials have failed than may',
    observed(sweep, { jobs: [job], word: known(4, { failed: 1 }) }),
    [{ kind: 'scale', job: name, parallelism: 3, suspend: true }],
    'Failed',
  ],
  [
    'goes on when so many may fail',
    observed(sweepOf({ maxFailedTrials: 1 }), { jobs: [job], word: known(4, { failed: 1 }) }),
    [],
    'Running',
  ],
  [
    'counts a pack that failed as a trial at least',
    observed(sweep, { jobs: [jobOfSweep(sweep, { active: 2, failedIndexes: '1' })], word: known(4) }),
    [{ kind: 'scale', job: name, parallelism: 3, suspend: true }],
    'Failed',
  ],
  [
    'fails with a Job that was told a wrong usage',
    observed(sweep, { jobs: [jobOfSweep(sweep, ended('Failed', 1, 'PodFailurePolicy'))] }),
    [],
    'Failed',
  ],
  ['leaves the start of a Job to its queue', observed(queued, { jobs: [jobOfSweep(queued)] }), [], 'Suspended'],
  [
    'leaves the stop of a Job to its queue',
    observed(queued, { jobs: [jobOfSweep(queued, { active: 1 }, { suspend: false })] }),
    [],
    'Running',
  ],
  [
    'takes a Job from its queue when the sweep is suspended',
    observed(sweepOf({ suspend: true, template: { queueName: 'q' } }), { jobs: [jobOfSweep(queued, { active: 1 })] }),
    [{ kind: 'delete', job: jobOfSweep(queued).metadata!.name! }],
    'Suspended',
  ],
  [
    'runs what was added in what pods of before leave free',
    observed(wider, { jobs: [jobOfSweep(sweep, { active: 2 })], stillOfUse: new Set([name]) }),
    [create(wider, 1)],
    'Running',
  ],
  [
    'gives the place of pods that ended to what was added',
    observed(wider, {
      jobs: [jobOfSweep(sweep, { active: 1 }), jobOfSweep(wider, { active: 1 }, { parallelism: 1 })],
      stillOfUse: new Set([name]),
    }),
    [{ kind: 'scale', job: jobOfSweep(wider).metadata!.name!, parallelism: 2, suspend: false }],
    'Running',
  ],
  [
    'ends pods that work on nothing that is wanted',
    observed(other, { jobs: [job] }),
    [{ kind: 'delete', job: name }, create(other, 3)],
    'Running',
  ],
  [
    'clears a Job of before away when it has ended',
    observed(wider, { jobs: [jobOfSweep(sweep, ended('Complete', 99))], stillOfUse: new Set([name]) }),
    [{ kind: 'delete', job: name }, create(wider, 3)],
    'Waiting',
  ],
  ['begins with the dense networks where others prune them', observed(mixed), [create(mixed, 3)], 'Waiting'],
  ['lets dense networks be trained', observed(mixed, { jobs: [dense({ active: 2 })], word: known(1) }), [], 'Running'],
  [
    'has them pruned when all are trained',
    observed(mixed, { jobs: [dense(ended('Complete', 1))], word: known(4) }),
    [create(mixed, 3, 1)],
    'Waiting',
  ],
  [
    'prunes once, whether the Job of the dense networks is still there',
    observed(mixed, { jobs: [dense(ended('Complete', 99)), pruned({ active: 3 })], word: known(4) }),
    [],
    'Running',
  ],
  ['or gone', observed(mixed, { jobs: [pruned({ active: 3 })], word: known(4) }), [], 'Running'],
  [
    'does not take the end of the dense networks for that of the sweep',
    observed(mixed, { jobs: [dense(ended('Complete', 60))], word: known(4) }),
    [create(mixed, 3, 1)],
    'Waiting',
  ],
  [
    'fails when all pruning has ended and trials are missing',
    observed(mixed, { jobs: [dense(ended('Complete', 90)), pruned(ended('Complete', 60))], word: known(11) }),
    [],
    'Failed',
  ],
  [
    'has nothing pruned that is recorded',
    observed(mixed, { jobs: [dense(ended('Complete', 1))], word: known(12) }),
    [],
    'Complete',
  ],
  [
    'has nothing pruned while it is suspended',
    observed(after({ suspend: true }), { jobs: [dense(ended('Complete', 1))], word: known(4) }),
    [],
    'Suspended',
  ],
  [
    'suspends who prunes',
    observed(after({ suspend: true }), { jobs: [dense(ended('Complete', 9)), pruned({ active: 3 })], word: known(4) }),
    [{ kind: 'scale', job: PRUNED, parallelism: 3, suspend: true }],
    'Suspended',
  ],
  [
    'has nothing pruned when too many packs of dense networks failed',
    observed(mixed, { jobs: [dense({ ...ended('Failed', 1, 'FailedIndexes'), failedIndexes: '1' })], word: known(2) }),
    [],
    'Failed',
  ],
  [
    'has cores train what GPUs did not, when so many may fail',
    observed(after({ maxFailedTrials: 1 }), {
      jobs: [dense({ ...ended('Failed', 1, 'FailedIndexes'), failedIndexes: '1' })],
      word: known(2),
    }),
    [create(mixed, 3, 1)],
    'Waiting',
  ],
  [
    'has nothing pruned after a wrong usage',
    observed(mixed, { jobs: [dense(ended('Failed', 1, 'PodFailurePolicy'))] }),
    [],
    'Failed',
  ],
  [
    'ends both Jobs of a grid that is wanted no more',
    observed(other, { jobs: [dense(ended('Complete', 9)), pruned({ active: 3 })] }),
    [{ kind: 'delete', job: DENSE }, { kind: 'delete', job: PRUNED }, create(other, 3)],
    'Running',
  ],
  [
    'begins again with the dense networks of a grid that grew, beside who prunes those of before',
    observed(after({ hiddenWidths: [[5], [4, 3], [6]] }), {
      jobs: [dense(ended('Complete', 9)), pruned({ active: 2 })],
      stillOfUse: new Set([DENSE, PRUNED]),
    }),
    [{ kind: 'delete', job: DENSE }, create(after({ hiddenWidths: [[5], [4, 3], [6]] }), 1)],
    'Running',
  ],
  ['starts nothing of a sweep that means nothing', observed(sweepOf({ pruneRatios: [0.9999999] })), [], 'Rejected'],
  [
    'starts nothing of a sweep whose files pods do not have',
    observed(sweepOf({ dataset: { idx: { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' } } })),
    [],
    'Rejected',
  ],
  [
    'holds a sweep whose table is to go with it',
    observed(sweepOf({ recordRetention: 'Delete', suspend: true })),
    [{ kind: 'hold' }],
    'Suspended',
  ],
  [
    'holds a sweep no more whose table is to stay',
    observed(sweepOf({ suspend: true }, { finalizers: [FINALIZER] })),
    [{ kind: 'release' }],
    'Suspended',
  ],
  [
    'withdraws the table of a deleted sweep, and lets it go',
    observed(deleted([FINALIZER])),
    [{ kind: 'withdraw' }, { kind: 'release' }],
    undefined,
  ],
  ['has nothing to do for any other deleted sweep', observed(deleted(['another'])), [], undefined],
];

const conditionOf = (status: SweepStatus | undefined, type: ConditionType) =>
  status?.conditions.find((condition) => condition.type === type);

describe('the controller', () => {
  it.each(CASES)('%s', (_, what, actions, state) => {
    const decision = decide(what);
    expect(decision.actions).toEqual(actions);
    expect(decision.status?.state).toBe(state);
  });

  it('decides the same again, and has nothing more to say, when nothing has changed', () => {
    for (const [, what] of CASES) {
      const { status, actions } = decide(what);
      if (status === undefined) continue;
      const again = decide({ ...what, sweep: { ...what.sweep, status }, now: new Date(what.now.getTime() + 1000) });
      expect(again.events).toEqual([]);
      expect(again.actions).toEqual(actions);
      expect(again.status?.conditions).toEqual(status.conditions);
    }
  });

  it('never says complete without the word of the ledger', () => {
    for (const word of [known(11), { kind: 'strange' }, { kind: 'away', reason: 'x' }] as const) {
      const { status } = decide(observed(sweep, { jobs: [jobOfSweep(sweep, ended('Complete', 99))], word }));
      expect(conditionOf(status, 'Complete')?.status).toBe('False');
      expect(conditionOf(status, 'MetricsComplete')?.status).toBe(word.kind === 'known' ? 'False' : 'Unknown');
    }
  });

  it('stays complete while the aggregator is away, but does not claim to know', () => {
    const complete = asDecided(observed(sweep, { word: known(12) }));
    const { status, actions } = decide(observed(complete, { word: { kind: 'away', reason: 'x' } }));
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ state: 'Complete', trials: { recorded: 12 } });
    expect(conditionOf(status, 'MetricsComplete')).toMatchObject({ status: 'Unknown', reason: 'AggregatorAway' });
  });

  it('is complete no more when the ledger has lost records', () => {
    const complete = asDecided(observed(sweep, { word: known(12) }));
    const jobs = [jobOfSweep(sweep, ended('Complete', 999))];
    const { status } = decide(observed(complete, { jobs, word: known(10) }));
    expect(status?.state).toBe('Failed');
    expect(conditionOf(status, 'Complete')?.status).toBe('False');
    expect(conditionOf(status, 'Failed')).toMatchObject({
      reason: 'TrialsMissing',
      message:
        'all pods have ended and 2 of 12 trials have no record, spec.maxFailedTrials is 0; kubectl prunesweep retry test tries them again, or set maxFailedTrials to 2 to go on without them',
    });
  });

  it('is complete without the trials that may fail, and says so when their Job is long gone', () => {
    const tolerant = sweepOf({ maxFailedTrials: 2 });
    const jobs = [jobOfSweep(tolerant, { ...ended('Failed', 60, 'FailedIndexes'), failedIndexes: '1' })];
    const complete = asDecided(observed(tolerant, { jobs, word: known(10) }));
    for (const what of [observed(complete, { jobs, word: known(10) }), observed(complete, { word: known(10) })]) {
      const { status, actions } = decide(what);
      expect(actions).toEqual([]);
      expect(status).toMatchObject({ state: 'Complete', trials: { recorded: 10, failed: 2 } });
      expect(conditionOf(status, 'Complete')?.reason).toBe('FailuresTolerated');
      expect(conditionOf(status, 'MetricsComplete')?.status).toBe('False');
    }
  });

  it('keeps a failure whose Job is long gone, until a person wants it tried again', () => {
    const jobs = [jobOfSweep(sweep, ended('Complete', 60))];
    const failed = asDecided(observed(sweep, { jobs, word: known(11) }));
    expect(decide(observed(failed, { word: known(11) }))).toMatchObject({ actions: [], status: { state: 'Failed' } });
    const retried = { ...failed, metadata: { ...failed.metadata, annotations: { [RETRY_ANNOTATION]: '1' } } };
    expect(decide(observed(retried, { jobs, word: known(11) }))).toMatchObject({
      actions: [{ kind: 'delete' }, { kind: 'create', parallelism: 3 }],
      status: { state: 'Waiting' },
    });
  });

  it('counts the packs of both stages, and says of which a pod failed', () => {
    const [first, second] = [
      { completedIndexes: '0', failedIndexes: '1' },
      { active: 3, completedIndexes: '2' },
    ];
    const jobs = [dense({ ...ended('Failed', 9, 'FailedIndexes'), ...first }), pruned(second)];
    const failedPods = [{ pack: 'dense 1', reason: 'Error, exit 65' }];
    const { status } = decide(observed(after({ maxFailedTrials: 1 }), { jobs, failedPods, word: known(4) }));
    expect(conditionOf(status, 'Accepted')?.message).toBe('12 trials in 2 dense and 4 pruned packs');
    expect(status).toMatchObject({
      packs: { total: 6, active: 3, succeeded: 2, failed: 1 },
      trials: { recorded: 4, failed: 0 },
      failedTrials: [{ trial: 'dense 1', reason: 'Error, exit 65' }],
      job: PRUNED,
    });
  });

  it('keeps what it knew of a grid from stage to stage', () => {
    const first = asDecided(observed(mixed, { jobs: [dense(ended('Complete', 9))], word: known(4) }));
    const { status } = decide(observed(first, { jobs: [pruned({ active: 1 })], word: { kind: 'away', reason: 'x' } }));
    expect(status?.trials).toMatchObject({ recorded: 4 });
  });

  it('counts what failed exactly once all is over', () => {
    const jobs = [jobOfSweep(sweep, { ...ended('Failed', 60, 'FailedIndexes'), failedIndexes: '1' })];
    const { status } = decide(observed(sweep, { jobs, word: known(9) }));
    expect(status?.trials).toEqual({ total: 12, recorded: 9, failed: 3, running: 0 });
    expect(status?.packs).toEqual({ total: 4, active: 0, succeeded: 0, failed: 1 });
  });

  it('does not offer to try again what would fail again', () => {
    const messages = [known(4, { failed: 1 }), known(4)].map(
      (word) =>
        conditionOf(
          decide(observed(sweep, { jobs: [jobOfSweep(sweep, { failedIndexes: '0' })], word })).status,
          'Failed',
        )?.message,
    );
    expect(messages).toEqual([
      '1 of 12 trials failed, spec.maxFailedTrials is 0; set maxFailedTrials to 1 to go on without them',
      '1 of 12 trials failed, spec.maxFailedTrials is 0; kubectl prunesweep retry test tries them again, or set maxFailedTrials to 1 to go on without them',
    ]);
  });

  it('names at most 20 trials and pods that failed', () => {
    const failedTrials = Array.from({ length: 15 }, (_, at) => ({ trial: `t${at}`, reason: 'diverged' }));
    const failedPods = Array.from({ length: 15 }, (_, pack) => ({
      pack: `pack ${pack}`,
      reason: 'OOMKilled, exit 137',
    }));
    const { status } = decide(
      observed(sweep, { jobs: [job], failedPods, word: known(0, { failed: 15, failedTrials }) }),
    );
    expect(status?.failedTrials).toHaveLength(20);
    expect(status?.failedTrials?.[15]).toEqual({ trial: 'pack 0', reason: 'OOMKilled, exit 137' });
  });

  it('says all problems of a spec, and leaves running what ran', () => {
    const { status, events } = decide(
      observed(sweepOf({ pruneRatios: [0.9999999], remainingWeights: [10 ** 6] }), { jobs: [job] }),
    );
    const { message, reason, status: is } = conditionOf(status, 'Accepted')!;
    expect([is, reason]).toEqual(['False', 'Invalid']);
    expect(message).toContain('spec.pruneRatios[0]: 0.9999999 leaves no weight of 5 (3,970 weights)');
    expect(message).toContain('spec.remainingWeights[0]: 1000000 is more than 4-3 (3,178 weights) has');
    expect(status?.packs.active).toBe(3);
    expect(events).toEqual([{ type: 'Warning', reason: 'Invalid', message }]);
  });

  it('tells each thing when it begins', () => {
    const told = (what: Observed) => decide(what).events.map(({ reason }) => reason);
    expect(told(observed(sweep))).toEqual(['Accepted']);
    expect(told(observed(asDecided(observed(sweep)), { word: known(12) }))).toEqual(['AllRecorded']);
    expect(told(observed(asDecided(observed(sweep)), { word: known(4, { failed: 1 }) }))).toEqual([
      'TooManyFailedTrials',
    ]);
    expect(told(observed({ ...asDecided(observed(sweep)), spec: paused.spec }))).toEqual(['SpecSuspend']);
  });

  it('moves the time of a condition only with its status', () => {
    const first = observed(sweep);
    const later = {
      ...observed(asDecided(first), { jobs: [job], word: known(5) }),
      now: new Date(first.now.getTime() + 60_000),
    };
    const times = decide(later).status!.conditions.map(({ lastTransitionTime }) => lastTransitionTime);
    expect(new Set(times)).toEqual(new Set(['2026-11-24T12:00:00Z']));
    const done = decide({ ...later, word: known(12) }).status;
    expect(conditionOf(done, 'Complete')?.lastTransitionTime).toBe('2026-11-24T12:01:00Z');
  });
});

describe('a revision', () => {
  it('is another when pods must be told something else, and only then', () => {
    const revision = (spec: object, metadata: object = {}) => planOfSweep(sweepOf(spec, metadata)).revision;
    const same = revision({});
    for (const spec of [
      ...[{ parallelism: 99 }, { suspend: true }, { maxFailedTrials: 5 }, { recordRetention: 'Delete' }],
      { template: { gpuPrice: 9 } },
    ])
      expect(revision(spec)).toBe(same);
    for (const spec of [
      { seeds: 3 },
      { training: { epochs: 2 } },
      { template: { queueName: 'q' } },
      { lineagesPerPack: 2 },
      { template: { accelerator: 'gpu', retrainOn: 'cpu' } },
    ])
      expect(revision(spec)).not.toBe(same);
    expect(revision({}, { annotations: { [RETRY_ANNOTATION]: '1' } })).not.toBe(same);
    expect(wide.stages.map(({ packs }) => packs)).toEqual([6]);
  });
});

describe('a list of indexes', () => {
  it.each([
    ['', 0],
    ['7', 1],
    ['1,3-5', 4],
    ['0-9999', 10_000],
  ])('%j are %i', (text, count) => {
    expect(countOfIndexes(text)).toBe(count);
  });
  it('may be missing', () => {
    expect(countOfIndexes(undefined)).toBe(0);
  });
});

describe('a Job has pods whose failure is to be told', () => {
  it.each([
    ['once one counts', { failed: 1 }, true],
    ['once an index counts, though the pod does not yet', { failedIndexes: '1' }, true],
    ['not while they run or succeed', { active: 2, succeeded: 1, completedIndexes: '0', failedIndexes: '' }, false],
  ])('%s', (_, status, isSo) => {
    expect(hasFailedPods({ ...job, status })).toBe(isSo);
  });
});
