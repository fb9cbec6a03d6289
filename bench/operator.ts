/**
 * `npm run bench -- operator [PODS SWEEPS]`: what the controller adds to a Job that one makes with kubectl. The API server,
 * the controllers of Kubernetes, NATS and the aggregator are real, the nodes are kwok's. The last line is JSON.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchV1Api,
  CustomObjectsApi,
  KubeConfig,
  type V1DeploymentSpec,
  type V1Job,
  type V1Pod,
  Watch,
} from '@kubernetes/client-node';
import { parseAllDocuments, stringify } from 'yaml';
import { connectNats, type NatsLink } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { ensureStreams } from '../bus/nats/streams';
import { SWEEP_LABEL } from '../controller/kubernetes/names';
import { GROUP, PLURAL, type PruneSweep, VERSION } from '../controller/kubernetes/resource';
import { gridPoints } from '../sweep/grid';
import { median } from '../sweep/statistics';
import { document, MNIST, recordOf, sweepOf } from '../test/fixtures';
import { ControlPlane, type ControlPlaneOptions } from '../test/servers/kubernetes/controlplane';
import { obtainKubernetes } from '../test/servers/kubernetes/obtain';
import { NatsServer } from '../test/servers/natsserver';
import { obtainNats } from '../test/servers/obtain';
import { freePort } from '../test/servers/port';
import { spread } from './statistics';

const ROOT = resolve(__dirname, '..');
const CLI = join(ROOT, 'dist', 'cli.js');
const STAGES = join(ROOT, 'test', 'servers', 'kubernetes', 'stages.yaml');
const [NAMESPACE, CONTROLLER] = ['prunesweep', 'prunesweep-controller'];
const RUNS = 5;
const NODES = 4;
const TOGETHER = 50;
const SWEEPS_RESOURCE = { group: GROUP, version: VERSION, plural: PLURAL, namespace: NAMESPACE };
/** So that two thousand pods have room on four nodes. */
const SMALL = { template: { resources: { requests: { cpu: '10m', memory: '10Mi' } } } };

const log = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);
const secondsSince = (began: number) => (performance.now() - began) / 1000;

async function until(isSo: () => Promise<boolean>, milliseconds = 20): Promise<void> {
  for (const end = Date.now() + 1_200_000; !(await isSo()); await sleep(milliseconds))
    if (Date.now() > end) throw new Error('waited for twenty minutes in vain');
}

/** A sweep whose packs are lineages, so many as there are seeds; another `first` makes other trials. */
const specOf = (packs: number, parallelism: number, first: number) => ({
  ...{ hiddenWidths: [[5]], pruneRatios: [0, 0.9], lineagesPerPack: 1, parallelism, ...SMALL },
  seeds: Array.from({ length: packs }, (_, index) => first + index),
});
const manifestOf = (name: string, spec: object) => document(spec, name);

/** A cluster with the definitions, rights and accounts of the quickstart, and its controller and aggregator as processes. */
class Bench {
  private readonly children: ChildProcess[] = [];
  private readonly firstPods = new Map<string, number>();
  private isStopping = false;
  readonly batch: BatchV1Api;
  readonly custom: CustomObjectsApi;
  private metrics = '';
  private controllerPid = 0;

  private constructor(
    readonly plane: ControlPlane,
    readonly nats: NatsServer,
    readonly link: NatsLink,
    private readonly config: KubeConfig,
  ) {
    this.batch = config.makeApiClient(BatchV1Api);
    this.custom = config.makeApiClient(CustomObjectsApi);
  }

  static async start(folder: string, options: ControlPlaneOptions): Promise<Bench> {
    const plane = await ControlPlane.start(await obtainKubernetes(say), { kwok: NODES, ...options });
    const nats = await NatsServer.start(await obtainNats(say));
    const link = await connectNats({ url: nats.url }, 'bench', say);
    await ensureStreams(link);
    const config = new KubeConfig();
    config.loadFromFile(plane.kubeconfig);
    const bench = new Bench(plane, nats, link, config);
    await bench.installAll(folder);
    return bench;
  }

  private async installAll(folder: string): Promise<void> {
    const { plane, nats } = this;
    const built = await this.kubectl(['kustomize', join(ROOT, 'k8s', 'overlays', 'quickstart')]);
    const objects = parseAllDocuments(built).map((one) => one.toJS() as { kind: string });
    // What its Deployments would run are processes here, and pods of fake nodes would only be in the way.
    const items = objects.filter(({ kind }) => kind !== 'Deployment' && kind !== 'StatefulSet');
    await this.kubectl(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
    await this.kubectl(['wait', '--for=condition=Established', `crd/${PLURAL}.${GROUP}`]);
    const [aggregator, metrics] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const store = mkdtempSync(join(folder, 'store-'));
    this.begin(['aggregator', '--nats', nats.url, '--store', store, '--http', aggregator]);
    await until(() => isOk(`http://${aggregator}/readyz`));
    const kubeconfig = await plane.serviceAccountKubeconfig(NAMESPACE, CONTROLLER);
    const child = this.begin(
      [
        ...['controller', '--namespace', NAMESPACE, '--nats', nats.url, '--aggregator', `http://${aggregator}`],
        ...['--image', 'prunesweep:bench', '--http', metrics],
      ],
      { KUBECONFIG: kubeconfig, NODE_OPTIONS: nodeOptionsOf(objects) },
    );
    this.controllerPid = child.pid!;
    this.metrics = `http://${metrics}/metrics`;
    await until(() => this.metric('prunesweep_controller_leader').then((value) => value === 1));
    await this.watchPods();
  }

  /** The server ends a watch when it likes, and soon after its start it does: the next one begins at once. */
  private async watchPods(): Promise<void> {
    const seen = (kind: string, { metadata }: V1Pod) => {
      const owner = metadata?.ownerReferences?.[0]?.name;
      if (kind === 'ADDED' && owner !== undefined && !this.firstPods.has(owner))
        this.firstPods.set(owner, performance.now());
    };
    const again = () => {
      if (!this.isStopping) setTimeout(() => void this.watchPods(), 10);
    };
    await new Watch(this.config).watch(`/api/v1/namespaces/${NAMESPACE}/pods`, {}, seen, again).catch(again);
  }

  /** Whatever waits would wait in vain. */
  private fail(why: string): void {
    if (this.isStopping) return;
    say(why);
    void this.stop().finally(() => process.exit(1));
  }

  private begin(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr!.on('data', (data: Buffer) => {
      said = (said + data).slice(-2000);
    });
    child.once('exit', (code) => this.fail(`prunesweep ${args[0]} ended with ${code}: ${said}`));
    this.children.push(child);
    return child;
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    for (const child of this.children) child.kill('SIGKILL');
    await this.link.connection.close();
    await this.nats.stop();
    await this.plane.stop();
  }

  async kubectl(args: readonly string[], stdin: object | string = ''): Promise<string> {
    const { code, stdout, stderr } = await this.plane.kubectl(args, {
      stdin: typeof stdin === 'string' ? stdin : stringify(stdin, { aliasDuplicateObjects: false }),
    });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  apply(manifest: object): Promise<string> {
    return this.kubectl(['apply', '-n', NAMESPACE, '-f', '-'], manifest);
  }

  /** The sum over all labels. */
  async metric(name: string): Promise<number> {
    const text = await fetch(this.metrics).then(
      (answer) => answer.text(),
      () => '',
    );
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
      Number(value),
    );
    return values.reduce((sum, value) => sum + value, 0);
  }

  /** Of the controller, the most that it had at any time. */
  get megabytes(): number {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.controllerPid}/status`, 'utf8'))![1]) / 1024;
  }

  async firstPodOf(job: string): Promise<number> {
    await until(async () => this.firstPods.has(job), 1);
    return this.firstPods.get(job)!;
  }

  async sweeps(): Promise<PruneSweep[]> {
    const { items } = (await this.custom.listNamespacedCustomObject(SWEEPS_RESOURCE)) as { items: PruneSweep[] };
    return items;
  }

  async sweep(name: string): Promise<PruneSweep> {
    return (await this.custom.getNamespacedCustomObject({ ...SWEEPS_RESOURCE, name })) as PruneSweep;
  }

  async jobs(name?: string): Promise<V1Job[]> {
    const labelSelector = name === undefined ? SWEEP_LABEL : `${SWEEP_LABEL}=${name}`;
    return (await this.batch.listNamespacedJob({ namespace: NAMESPACE, labelSelector })).items;
  }

  /** The Job of a sweep, when it is there. */
  async jobOf(name: string): Promise<V1Job> {
    await until(async () => (await this.jobs(name)).length > 0);
    return (await this.jobs(name))[0]!;
  }

  /** Waits until nothing is left of what a run made. */
  async clear(): Promise<void> {
    await this.kubectl(['delete', PLURAL, '--all', '-n', NAMESPACE]);
    await this.kubectl(['delete', 'jobs', '--all', '-n', NAMESPACE, '--wait=false']);
    await until(async () => (await this.kubectl(['get', 'pods,jobs', '-n', NAMESPACE, '-o', 'name'])) === '', 200);
  }
}

/** With which the Deployment of the controller starts it. */
function nodeOptionsOf(objects: readonly object[]): string {
  const deployments = objects as { kind: string; metadata: { name: string }; spec: V1DeploymentSpec }[];
  const { spec } = deployments.find(({ kind, metadata: { name } }) => kind === 'Deployment' && name === CONTROLLER)!;
  return spec.template.spec!.containers[0]!.env!.find(({ name }) => name === 'NODE_OPTIONS')!.value!;
}

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

/** The same Job by itself: made with kubectl, of no sweep. */
function peerOf({ metadata, spec }: V1Job, name: string): object {
  const { selector: _selector, template, suspend: _suspend, ...rest } = spec!;
  return {
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace: metadata!.namespace } },
    spec: { ...rest, template: { metadata: { labels: { peer: name } }, spec: template.spec } },
  };
}

/** Stages by which each pod ends with 0 as soon as it runs. */
function stagesOfBriefPods(folder: string): string {
  const stages = parseAllDocuments(readFileSync(STAGES, 'utf8')).map((one) => one.toJS());
  for (const stage of stages) {
    if (stage.metadata.name !== 'pod-end') continue;
    stage.spec.selector.matchExpressions.pop();
    stage.spec.delay = { durationMilliseconds: 0 };
  }
  const file = join(folder, 'stages.yaml');
  writeFileSync(file, stages.map((stage) => stringify(stage)).join('---\n'));
  return file;
}

/** Numbers of objects in the namespace by kind, but for pods and events. */
async function objectsIn(bench: Bench): Promise<number> {
  const kinds = await bench.kubectl(['api-resources', '--namespaced', '--verbs=list', '-o', 'name']);
  const counted = kinds
    .trim()
    .split('\n')
    .filter((kind) => !/^(pods|events)(\.|$)/.test(kind));
  return (await bench.kubectl(['get', counted.join(','), '-n', NAMESPACE, '-o', 'name'])).trim().split('\n').length;
}

async function objectsForManyTrials(bench: Bench): Promise<number> {
  const before = await objectsIn(bench);
  const spec = {
    hiddenWidths: Array.from({ length: 10 }, (_, index) => [300 + index, 100]),
    pruneRatios: Array.from({ length: 10 }, (_, index) => index / 10),
    recipes: [{}, { criterion: 'random' }],
    ...{ seeds: 500, parallelism: 1, ...SMALL },
  };
  await bench.apply(manifestOf('many', spec));
  await bench.firstPodOf((await bench.jobOf('many')).metadata!.name!);
  await until(async () => (await bench.sweep('many')).status?.trials.total === 100_000);
  const count = (await objectsIn(bench)) - before;
  await bench.clear();
  return count;
}

/** Seconds from the call of kubectl to the first pod, of a sweep and of its Job alone, in turns. */
async function toFirstPod(bench: Bench): Promise<{ ours: number[]; peers: number[] }> {
  const seconds = { ours: [] as number[], peers: [] as number[] };
  for (let run = 0; run < RUNS; run++) {
    const [name, peer] = [`first-${run}`, `peer-${run}`];
    let began = performance.now();
    const applied = bench.apply(manifestOf(name, specOf(1, 1, 1000 + run)));
    const job = await bench.jobOf(name);
    seconds.ours.push(((await bench.firstPodOf(job.metadata!.name!)) - began) / 1000);
    await applied;
    began = performance.now();
    await bench.apply(peerOf(job, peer));
    seconds.peers.push(((await bench.firstPodOf(peer)) - began) / 1000);
    await bench.clear();
  }
  return seconds;
}

const isOver = ({ status }: V1Job) =>
  status?.conditions?.some(({ type, status: is }) => type === 'Complete' && is === 'True') === true;

/** Pods a second from the first to the end of the Job, and calls of the API server by the controller a pod. */
async function throughput(bench: Bench, pods: number) {
  const rates = { ours: [] as number[], peers: [] as number[] };
  const calls: number[] = [];
  const rateOf = async (job: string) => {
    const began = await bench.firstPodOf(job);
    await until(async () => isOver(await bench.batch.readNamespacedJob({ name: job, namespace: NAMESPACE })), 100);
    return pods / secondsSince(began);
  };
  const parallelism = Math.min(pods, 500);
  const ofSweep = async (run: number) => {
    const name = `pods-${run}`;
    const before = await bench.metric('prunesweep_controller_api_calls_total');
    await bench.apply(manifestOf(name, specOf(pods, parallelism, 10_000 * (run + 1))));
    const job = await bench.jobOf(name);
    const rate = await rateOf(job.metadata!.name!);
    const called = (await bench.metric('prunesweep_controller_api_calls_total')) - before;
    await bench.clear();
    return { job, rate, calls: called / pods };
  };
  // Servers that have just started are slow.
  const { job } = await ofSweep(0);
  const ours = async (run: number) => {
    const { rate, calls: called } = await ofSweep(run);
    rates.ours.push(rate);
    calls.push(called);
  };
  const peers = async (run: number) => {
    const name = `pods-peer-${run}`;
    await bench.apply(peerOf(job, name));
    rates.peers.push(await rateOf(name));
    await bench.clear();
  };
  // Their database grows: not always the same one goes first.
  for (let run = 1; run <= RUNS; run++) for (const go of run % 2 === 0 ? [peers, ours] : [ours, peers]) await go(run);
  return { ...rates, calls };
}

/** Seconds from the acknowledgement of the last record to Complete in the API server. */
async function statusLags(bench: Bench): Promise<number[]> {
  const ledger = await NatsLedger.open(bench.link);
  const lags: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const [name, spec] = [`lag-${run}`, specOf(2, 2, 2000 + 10 * run)];
    const records = gridPoints(sweepOf(spec).spec, MNIST).map((point) => recordOf(point, 9000));
    await bench.apply(manifestOf(name, spec));
    for (const record of records.slice(1)) await ledger.publish(record);
    await until(async () => (await bench.sweep(name)).status?.trials.recorded === records.length - 1);
    // Not always at the same place between two looks at the aggregator.
    await sleep(300 * Math.random());
    await ledger.publish(records[0]!);
    const began = performance.now();
    await until(async () => (await bench.sweep(name)).status?.state === 'Complete', 5);
    lags.push(secondsSince(began));
  }
  await bench.clear();
  return lags;
}

/** Seconds until all are observed, and each has its Job. */
async function manySweeps(bench: Bench, count: number): Promise<number> {
  const left = Array.from({ length: count }, (_, index) => index);
  const began = performance.now();
  const create = async () => {
    for (let index = left.shift(); index !== undefined; index = left.shift())
      await bench.custom.createNamespacedCustomObject({
        ...SWEEPS_RESOURCE,
        body: manifestOf(`sweep-${index}`, specOf(2, 2, 100_000 + 2 * index)),
      });
  };
  await Promise.all(Array.from({ length: TOGETHER }, create));
  log(`  all ${count} are created after ${secondsSince(began).toFixed(1)} s`);
  // A list of all of them would be much of the load: the server says how many are left after the first.
  const jobsLeft = async () => {
    const { items, metadata } = await bench.batch.listNamespacedJob({ namespace: NAMESPACE, limit: 1 });
    return items.length + (metadata?.remainingItemCount ?? 0);
  };
  await until(async () => (await jobsLeft()) >= count, 500);
  await until(
    async () =>
      (await bench.sweeps()).every(({ metadata, status }) => status?.observedGeneration === metadata.generation),
    500,
  );
  return secondsSince(began);
}

export async function benchOperator(): Promise<void> {
  const [pods = 2000, sweeps = 1000] = process.argv.slice(3).map(Number);
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  let bench: Bench | undefined;
  try {
    bench = await Bench.start(folder, { stages: stagesOfBriefPods(folder) });
    const { ours, peers, calls } = await throughput(bench, pods);
    const ratios = ours.map((rate, run) => rate / peers[run]!);
    log(
      `a Job of ${pods} pods: ${spread(ours, 0)} pods a second of a sweep, ${spread(peers, 0)} made with kubectl alone`,
    );
    log(`  ratio ${spread(ratios, 3)}; calls of the controller a pod: ${spread(calls, 4)}`);
    await bench.stop();

    bench = await Bench.start(folder, {});
    const objects = await objectsForManyTrials(bench);
    log(`100,000 trials: ${objects} objects besides pods`);
    const first = await toFirstPod(bench);
    log(
      `from kubectl apply to the first pod: ${spread(first.ours, 2)} s, of the Job alone ${spread(first.peers, 2)} s`,
    );
    const lags = await statusLags(bench);
    log(`from the last record to Complete: ${spread(lags, 2)} s`);
    const before = bench.megabytes;
    const seconds = await manySweeps(bench, sweeps);
    log(`${sweeps} sweeps observed and each with its Job: ${seconds.toFixed(1)} s`);
    const running = async () =>
      (await bench!.jobs()).reduce((sum, { status }) => sum + (status?.active ?? 0), 0) >= 2 * sweeps;
    await until(running, 1000);
    // The last of their states are written.
    await sleep(5000);
    log(
      `most memory of the controller, with ${sweeps} sweeps and ${2 * sweeps} pods: ${bench.megabytes.toFixed(0)} MB`,
    );
    log(`  ${before.toFixed(0)} MB before them`);
    log(
      JSON.stringify({
        objects_for_100k_trials: objects,
        apply_to_first_pod_s: Number(median(first.ours).toFixed(2)),
        job_alone_to_first_pod_s: Number(median(first.peers).toFixed(2)),
        pods_per_s: Math.round(median(ours)),
        pods_per_s_vs_job_alone: Number(median(ratios).toFixed(3)),
        api_calls_per_pod_by_controller: Number(median(calls).toFixed(4)),
        status_lag_s: Number(median(lags).toFixed(2)),
        thousand_sweeps_s: Number(seconds.toFixed(1)),
        controller_rss_mb: Math.round(bench.megabytes),
      }),
    );
  } finally {
    await bench?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
