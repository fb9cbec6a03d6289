import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RETRY_ANNOTATION, SWEEP_LABEL } from '../../../controller/kubernetes/names';
import type { ConditionType, PruneSweep } from '../../../controller/kubernetes/resource';
import { type ControlPlane, hasKubernetes, whyNoKubernetes } from '../../servers/kubernetes';
import { hasNats, whyNoNats } from '../../servers/nats';
import { PATIENT, startPlane, TestCluster } from './cluster';

/** 12 trials in 4 packs. */
const SPEC = { hiddenWidths: [[5], [4, 3]], pruneRatios: [0, 0.5, 0.9], seeds: 2, parallelism: 3 };

const conditionOf = ({ status }: PruneSweep, type: ConditionType) =>
  status?.conditions.find((condition) => condition.type === type);
const never = async () => undefined;

let plane: ControlPlane;
const isHere = hasKubernetes && hasNats;
beforeAll(async () => {
  if (isHere) plane = await startPlane();
});
afterAll(() => plane?.stop());

describe.runIf(isHere)(`a PruneSweep${whyNoKubernetes}${whyNoNats}`, () => {
  it('that is applied is carried out by one ConfigMap and one Job, and becomes complete', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.startController();
    await cluster.apply(SPEC);
    await cluster.kubectl('wait', '--for=condition=Complete', 'psw/test', '--timeout=60s');
    const status = await cluster.until('Complete');
    expect(status.trials).toEqual({ total: 12, recorded: 12, failed: 0, running: 0 });
    expect(conditionOf(await cluster.sweep(), 'MetricsComplete')?.status).toBe('True');
    expect(await cluster.jobs()).toHaveLength(1);
    await expect
      .poll(async () => (await cluster.sweep()).status?.packs, PATIENT)
      .toEqual({ total: 4, active: 0, succeeded: 4, failed: 0 });
    const [head, row] = (await cluster.kubectl('get', 'psw', '-o', 'wide')).split('\n');
    expect(head!.split(/\s{2,}/).slice(0, 6)).toEqual(['NAME', 'TRIALS', 'RECORDED', 'FAILED', 'RUNNING', 'STATE']);
    expect(row).toMatch(/^test +12 +12 +0 +0 +Complete .* 2 +90\.00 % at \d+/);
    const described = await cluster.kubectl('describe', 'psw', 'test');
    expect(described).toMatch(/Normal +Accepted .* 12 trials in 4 packs/);
    expect(described).toMatch(/Normal +AllRecorded .* every trial of the grid is recorded/);
    expect(await (await cluster.reader.get('/api/sweeps/test/table.csv')).text()).toContain('5,magnitude');
  });

  it('that cannot be is not accepted, with the reasons, and nothing is started', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.startController();
    const idx = { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' };
    await cluster.apply({ ...SPEC, dataset: { idx } });
    const rejected = await cluster.until('Rejected');
    expect(rejected.observedGeneration).toBe(1);
    expect(conditionOf(await cluster.sweep(), 'Accepted')).toMatchObject({
      status: 'False',
      message: expect.stringContaining('spec.dataset.idx: pods do not have these files; use name: mnist'),
    });
    expect(await cluster.jobs()).toEqual([]);
    await cluster.apply(SPEC);
    await cluster.until('Complete');
  });

  it('stops and goes on with suspend, and follows parallelism while it runs', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.behave = never;
    cluster.startController();
    await cluster.apply(SPEC);
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(3);
    await cluster.kubectl('scale', 'psw/test', '--replicas=2');
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(2);
    await cluster.kubectl('patch', 'psw', 'test', '--type=merge', '-p', '{"spec":{"suspend":true}}');
    await cluster.until('Suspended');
    await expect.poll(async () => (await cluster.pods()).length, PATIENT).toBe(0);
    expect(conditionOf(await cluster.sweep(), 'Suspended')?.status).toBe('True');
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.kubectl('patch', 'psw', 'test', '--type=merge', '-p', '{"spec":{"suspend":false}}');
    await cluster.until('Complete');
    expect(await cluster.jobs()).toHaveLength(1);
  });

  it('whose grid grows runs what was added and lets go on what runs; what is removed leaves the table', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.behave = never;
    cluster.startController();
    await cluster.apply({ ...SPEC, parallelism: 2 });
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(2);
    const before = (await cluster.pods()).map(({ metadata }) => metadata!.uid);
    await cluster.apply({ ...SPEC, parallelism: 3, hiddenWidths: [[5], [6]] });
    await expect.poll(async () => (await cluster.pods()).length, PATIENT).toBe(3);
    expect((await cluster.pods()).map(({ metadata }) => metadata!.uid)).toEqual(expect.arrayContaining(before));
    cluster.behave = (pod) => cluster.train(pod);
    for (const uid of before) {
      const pod = (await cluster.pods()).find(({ metadata }) => metadata!.uid === uid)!;
      await cluster.finish(pod);
    }
    await cluster.kubectl('delete', 'pods', '--all', '--wait=false');
    const status = await cluster.until('Complete');
    expect(status.trials.total).toBe(12);
    const table = await (await cluster.reader.get('/api/sweeps/test/table.csv')).text();
    expect(table).toMatch(/^6,/m);
    expect(table).not.toMatch(/^4-3,/m);
    await expect.poll(async () => (await cluster.jobs()).length, PATIENT).toBe(1);
  });

  it('fails at once on bad data, and tries once more what ran out of memory', async () => {
    const cluster = await TestCluster.startOn(plane);
    const attempts: number[] = [];
    cluster.behave = async (pod) => {
      attempts[pod.pack] = (attempts[pod.pack] ?? 0) + 1;
      if (pod.pack === 1) return { exitCode: 65 };
      if (pod.pack === 2) return { exitCode: 137, reason: 'OOMKilled' };
      return cluster.train(pod);
    };
    cluster.startController();
    await cluster.apply({ ...SPEC, maxFailedTrials: 5 });
    const failed = await cluster.until('Failed');
    expect(attempts).toEqual([1, 1, 2, 1]);
    expect(failed.trials).toMatchObject({ recorded: 6, failed: 6 });
    expect(failed.failedTrials).toEqual(
      expect.arrayContaining([
        { trial: 'pack 1', reason: 'Error, exit 65' },
        { trial: 'pack 2', reason: 'OOMKilled, exit 137; raise spec.template.resources.limits.memory' },
      ]),
    );
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.kubectl('annotate', 'psw', 'test', `${RETRY_ANNOTATION}=1`);
    await cluster.until('Complete');
    expect(await cluster.jobs()).toHaveLength(1);
  });

  it('does not count a pod that was disrupted', async () => {
    const cluster = await TestCluster.startOn(plane);
    const attempts: number[] = [];
    cluster.behave = async (pod) => {
      attempts[pod.pack] = (attempts[pod.pack] ?? 0) + 1;
      return attempts[pod.pack]! <= 2 && pod.pack === 0 ? undefined : cluster.train(pod);
    };
    cluster.startController();
    await cluster.apply(SPEC);
    for (let time = 1; time <= 2; time++) {
      await expect.poll(() => attempts[0], PATIENT).toBe(time);
      const pod = (await cluster.pods()).find(
        ({ metadata, status }) => /-0-/.test(metadata!.name!) && status?.phase === 'Running',
      )!;
      await cluster.evict(pod.metadata!.name!);
    }
    const status = await cluster.until('Complete');
    expect(status.packs.failed).toBe(0);
  });

  it('for GPUs and cores has its dense networks trained by one Job and pruned by another, through all that stops it', async () => {
    const cluster = await TestCluster.startOn(plane);
    const began: string[] = [];
    let held: string | undefined = 'dense';
    cluster.behave = async (pod) => {
      if (pod.part !== held) return cluster.train(pod);
      began.push(`${pod.part} ${pod.pack}`);
      return undefined;
    };
    const suspend = (isSuspended: boolean) =>
      cluster.kubectl('patch', 'psw', 'test', '--type=merge', '-p', `{"spec":{"suspend":${isSuspended}}}`);
    const stopAndGoOn = async (packs: readonly string[], next: string | undefined) => {
      await expect.poll(() => [...began].sort(), PATIENT).toEqual(packs);
      await suspend(true);
      await cluster.until('Suspended');
      const left = async () => (await cluster.pods()).filter(({ status }) => status?.phase !== 'Succeeded');
      await expect.poll(async () => (await left()).length, PATIENT).toBe(0);
      began.length = 0;
      held = next;
      await suspend(false);
    };
    const first = cluster.startController();
    await cluster.apply({ ...SPEC, parallelism: 4, template: { accelerator: 'gpu', retrainOn: 'cpu' } });
    await stopAndGoOn(['dense 0', 'dense 1'], 'pruned');
    await expect.poll(() => began.length, PATIENT).toBe(4);
    await expect.poll(async () => (await cluster.sweep()).status?.trials.recorded, PATIENT).toBe(4);
    expect((await cluster.sweep()).status?.state).toBe('Running');
    await first.end('SIGKILL');
    cluster.startController();
    await stopAndGoOn(['pruned 0', 'pruned 1', 'pruned 2', 'pruned 3'], undefined);
    const status = await cluster.until('Complete');
    await expect
      .poll(async () => (await cluster.sweep()).status?.packs, PATIENT)
      .toEqual({ total: 6, active: 0, succeeded: 6, failed: 0 });
    expect(status.trials).toEqual({ total: 12, recorded: 12, failed: 0, running: 0 });
    expect(cluster.published.size).toBe(12);
    const names = (await cluster.jobs()).map(({ metadata }) => metadata!.name!);
    expect(names.map((name) => name.replace(/^test-[0-9a-f]{8}/, ''))).toEqual(['-dense', '-pruned']);
    const configMaps = await cluster.kubectl('get', 'configmaps', '-l', `${SWEEP_LABEL}=test`, '-o', 'name');
    expect(configMaps.trim().split('\n')).toEqual(names.map((name) => `configmap/${name}`));
    await cluster.kubectl('delete', 'psw', 'test', '--timeout=60s');
    await expect.poll(async () => [...(await cluster.jobs()), ...(await cluster.pods())].length, PATIENT).toBe(0);
  });

  it('that is deleted takes all that it owns with it, and leaves its table unless that is to go too', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.startController();
    await cluster.apply(SPEC, 'stays');
    await cluster.apply({ ...SPEC, recordRetention: 'Delete' }, 'goes');
    for (const name of ['stays', 'goes']) await cluster.until('Complete', name);
    await cluster.kubectl('delete', 'psw', 'stays', 'goes', '--timeout=60s');
    for (const name of ['stays', 'goes'])
      await expect
        .poll(async () => [...(await cluster.jobs(name)), ...(await cluster.pods(name))].length, PATIENT)
        .toBe(0);
    await expect.poll(async () => (await cluster.reader.get('/api/sweeps/goes')).status, PATIENT).toBe(404);
    expect((await cluster.reader.get('/api/sweeps/stays/table.csv')).status).toBe(200);
    // The records are the trials', whatever sweep they are in.
    await cluster.apply(SPEC, 'again');
    const status = await cluster.until('Complete', 'again');
    expect(status.trials.recorded).toBe(12);
  });

  it('is no more than what the ledger says, while the aggregator is away and back', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.behave = async (pod) => (pod.pack === 0 ? cluster.train(pod) : undefined);
    cluster.startController();
    await cluster.apply(SPEC);
    await expect.poll(async () => (await cluster.sweep()).status?.trials.recorded, PATIENT).toBe(3);
    await cluster.source.server.kill();
    await expect
      .poll(async () => conditionOf(await cluster.sweep(), 'MetricsComplete')?.reason, PATIENT)
      .toBe('AggregatorAway');
    expect((await cluster.sweep()).status).toMatchObject({ state: 'Running', trials: { recorded: 3 } });
    await cluster.source.server.begin();
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.kubectl('delete', 'pods', '--all', '--wait=false');
    await cluster.until('Complete');
  });

  it('goes on over a restart of the API server, a pause of etcd and a kill of the controller', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.behave = never;
    const first = cluster.startController();
    await cluster.apply(SPEC);
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(3);
    await cluster.plane.kill('kube-apiserver');
    await cluster.plane.begin('kube-apiserver');
    await cluster.kubectl('scale', 'psw/test', '--replicas=2');
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(2);
    cluster.plane.pause('etcd');
    await new Promise((done) => setTimeout(done, 10_000));
    cluster.plane.resume('etcd');
    await cluster.kubectl('scale', 'psw/test', '--replicas=1');
    await expect.poll(async () => (await cluster.sweep()).status?.packs.active, PATIENT).toBe(1);
    await first.end('SIGKILL');
    cluster.startController();
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.kubectl('delete', 'pods', '--all', '--wait=false');
    await cluster.until('Complete');
    expect(await cluster.jobs()).toHaveLength(1);
  });
});

describe.runIf(isHere)(`a PruneSweep in a queue of Kueue${whyNoKubernetes}${whyNoNats}`, () => {
  /** What Kueue's controller is documented to do with a Job that carries its label. */
  const admit = (cluster: TestCluster, job: string, zone: string) =>
    cluster.kubectl(
      'patch',
      'job',
      job,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { suspend: false, template: { spec: { nodeSelector: { 'kubernetes.io/os': zone } } } } }),
    );
  const preempt = (cluster: TestCluster, job: string) =>
    cluster.kubectl('patch', 'job', job, '--type=merge', '-p', '{"spec":{"suspend":true}}');

  it('waits until it is admitted, stops when it is preempted, and goes on when it is admitted again', async () => {
    const cluster = await TestCluster.startOn(plane);
    cluster.behave = never;
    cluster.startController();
    await cluster.apply({ ...SPEC, template: { queueName: 'sweeps' } });
    await cluster.until('Suspended');
    const [job] = await cluster.jobs();
    const name = job!.metadata!.name!;
    expect(job!.metadata!.labels!['kueue.x-k8s.io/queue-name']).toBe('sweeps');
    expect(job!.spec!.suspend).toBe(true);
    expect(conditionOf(await cluster.sweep(), 'Suspended')?.message).toBe(
      'waits for Kueue to admit it to the queue sweeps',
    );
    await admit(cluster, name, 'linux');
    await cluster.until('Running');
    await preempt(cluster, name);
    await cluster.until('Suspended');
    await expect.poll(async () => (await cluster.pods()).length, PATIENT).toBe(0);
    cluster.behave = (pod) => cluster.train(pod);
    await admit(cluster, name, 'linux');
    await cluster.until('Complete');
    const [ended] = await cluster.jobs();
    expect(ended!.spec!.template.spec!.nodeSelector).toEqual({ 'kubernetes.io/os': 'linux' });
  });
});
