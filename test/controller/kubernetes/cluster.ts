/**
 * A namespace of a real API server with all that a sweep needs: NATS, the aggregator, the controller as a process of the
 * command line, and in place of kubelets an actor that ends pods as trainers do, after publishing their records.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
  Watch,
} from '@kubernetes/client-node';
import { expect, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { PART_LABEL, SWEEP_LABEL } from '../../../controller/kubernetes/names';
import {
  GROUP,
  type Job,
  PLURAL,
  type PruneSweep,
  type SweepStatus,
  VERSION,
} from '../../../controller/kubernetes/resource';
import { acceptSweep } from '../../../sweep/accept';
import { gridPoints, packOf, trialsOf } from '../../../sweep/grid';
import type { Part } from '../../../sweep/packs';
import { readSweep } from '../../../sweep/read';
import { type Reader, type Source, startReader, startSource } from '../../aggregator/line';
import { MNIST, recordOf } from '../../fixtures';
import { ControlPlane, type ControlPlane as Plane } from '../../servers/kubernetes';

const ROOT = join(__dirname, '..', '..', '..');
export const CLI = join(ROOT, 'dist', 'cli.js');
export const NAMESPACE = 'prunesweep';
const INDEX = 'batch.kubernetes.io/job-completion-index';
const FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const PATIENT = { timeout: 60_000, interval: 50 };

export interface PodEnd {
  exitCode: number;
  reason?: string;
}
/** What a pod does and ends with; undefined when it runs until it is deleted. */
export type Behaviour = (pod: {
  sweep: string;
  pack: number;
  part?: Part;
  attempt: number;
  job: string;
}) => Promise<PodEnd | undefined>;

export interface ControllerProcess {
  child: ChildProcess;
  said(): string;
  /** @returns the exit code */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A control plane with the quickstart's objects, whose pods nobody carries out. */
export async function startPlane(options: Parameters<typeof ControlPlane.start>[0] = {}): Promise<Plane> {
  const plane = await ControlPlane.start({ kwok: 1, ...options });
  const { code, stderr } = await plane.kubectl(['apply', '-k', join(ROOT, 'k8s', 'overlays', 'quickstart')]);
  if (code !== 0) throw new Error(stderr);
  return plane;
}

export class TestCluster {
  readonly config = new KubeConfig();
  private readonly core: CoreV1Api;
  private readonly objects: CustomObjectsApi;
  private readonly ended = new AbortController();
  private readonly acted = new Set<string>();
  behave: Behaviour = (pod) => this.train(pod);
  /** Ids of the trials whose records may be in the ledger, since they were sent there. */
  readonly published = new Set<string>();

  private constructor(
    readonly plane: Plane,
    readonly source: Source,
    readonly reader: Reader,
    /** With the rights of the controller's service account. */
    readonly controllerKubeconfig: string,
  ) {
    this.config.loadFromFile(plane.kubeconfig);
    this.core = this.config.makeApiClient(CoreV1Api);
    this.objects = this.config.makeApiClient(CustomObjectsApi);
  }

  /** All of it but the controller, gone when the test ends. */
  static async start(options: Parameters<typeof ControlPlane.start>[0] = {}): Promise<TestCluster> {
    const plane = await startPlane(options);
    onTestFinished(() => plane.stop());
    return TestCluster.surround(plane);
  }

  /** The same on a control plane that other tests had or will have; when the test ends, no sweep is left there. */
  static async startOn(plane: Plane): Promise<TestCluster> {
    const cluster = await TestCluster.surround(plane);
    onTestFinished(async () => {
      await cluster.kubectl('delete', 'psw,jobs,leases,events', '--all', '--cascade=foreground', '--timeout=60s');
    });
    return cluster;
  }

  private static async surround(plane: Plane): Promise<TestCluster> {
    const source = await startSource();
    const reader = await startReader(source.server.url);
    const kubeconfig = await plane.serviceAccountKubeconfig(NAMESPACE, 'prunesweep-controller');
    const cluster = new TestCluster(plane, source, reader, kubeconfig);
    onTestFinished(() => cluster.ended.abort());
    void cluster.actOnPods();
    return cluster;
  }

  startController(
    args: readonly string[] = [],
    kubeconfig = this.controllerKubeconfig,
    env: NodeJS.ProcessEnv = {},
    image: readonly string[] = ['--image', 'prunesweep:test'],
  ): ControllerProcess {
    const { url } = this.source.server;
    const child = spawn(
      process.execPath,
      [
        ...[CLI, 'controller', '--namespace', NAMESPACE, '--nats', url, '--aggregator', this.reader.url],
        ...[...image, '--http', '127.0.0.1:0', ...args],
      ],
      { env: { ...process.env, KUBECONFIG: kubeconfig, ...env }, stdio: ['ignore', 'inherit', 'pipe'] },
    );
    let said = '';
    child.stderr!.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const exited = new Promise<number | null>((done) => child.once('exit', done));
    const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    };
    onTestFinished(async () => {
      await end('SIGKILL');
    });
    return { child, said: () => said, end };
  }

  async kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.plane.kubectl(['--namespace', NAMESPACE, ...args]);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  }

  async apply(spec: object, name = 'test'): Promise<void> {
    const manifest = {
      apiVersion: `${GROUP}/${VERSION}`,
      kind: 'PruneSweep',
      metadata: { name, namespace: NAMESPACE },
      spec,
    };
    const { code, stderr } = await this.plane.kubectl(['apply', '-f', '-'], { stdin: stringify(manifest) });
    if (code !== 0) throw new Error(stderr);
  }

  // Asked many times a second, and so not by kubectl, which takes 0.15 s of a core.
  async sweep(name = 'test'): Promise<PruneSweep> {
    return this.objects.getNamespacedCustomObject({
      ...{ group: GROUP, version: VERSION, plural: PLURAL },
      ...{ name, namespace: NAMESPACE },
    });
  }

  async jobs(name = 'test'): Promise<Job[]> {
    const { items } = await this.objects.listNamespacedCustomObject({
      ...{ group: 'batch', version: 'v1', plural: 'jobs' },
      ...{ namespace: NAMESPACE, labelSelector: `${SWEEP_LABEL}=${name}` },
    });
    return items;
  }

  async pods(name = 'test'): Promise<V1Pod[]> {
    const { items } = await this.core.listNamespacedPod({
      ...{ namespace: NAMESPACE, labelSelector: `${SWEEP_LABEL}=${name}` },
    });
    return items;
  }

  /** Waits for the state, and fails at once with the whole status when another end has come. */
  async until(state: SweepStatus['state'], name = 'test'): Promise<SweepStatus> {
    await expect.poll(async () => (await this.sweep(name)).status?.state, PATIENT).toBe(state);
    return (await this.sweep(name)).status!;
  }

  /** What a drained node does to a pod. */
  async evict(name: string): Promise<void> {
    await this.core.createNamespacedPodEviction({
      ...{ name, namespace: NAMESPACE },
      body: { metadata: { name, namespace: NAMESPACE } },
    });
  }

  /** What a trainer does: publishes the records of its pack's trials, those that its part leaves to it. */
  async train({ sweep, pack, part, job }: { sweep: string; pack: number; part?: Part; job: string }): Promise<PodEnd> {
    const configMap = await this.core.readNamespacedConfigMap({ name: job, namespace: NAMESPACE });
    const { spec } = acceptSweep(readSweep(configMap.data!['sweep.yaml']!).document, MNIST);
    const lineages = packOf(spec, MNIST, pack, part);
    const idsOf = (part?: Part) => lineages.flatMap((lineage) => trialsOf(lineage, part).flat()).map(({ id }) => id);
    const mine = new Set(idsOf(part));
    // Those are recorded before anybody prunes.
    if (part === 'pruned') for (const id of idsOf('dense')) mine.delete(id);
    const points = gridPoints(spec, MNIST).filter(({ trial }) => mine.has(trial.id));
    expect(points.length, `pack ${pack} of ${sweep}`).toBeGreaterThan(0);
    for (const point of points) {
      this.published.add(point.trial.id);
      await this.source.ledger.publish(recordOf(point, 9000));
    }
    return { exitCode: 0 };
  }

  private async actOnPods(): Promise<void> {
    const watch = new Watch(this.config);
    const { signal } = this.ended;
    while (!signal.aborted)
      await new Promise<void>((over) => {
        const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
        const seen = (kind: string, pod: V1Pod) => {
          if (kind === 'ADDED' || kind === 'MODIFIED') void this.actOn(pod).catch(() => {});
        };
        watch
          .watch(path, { labelSelector: SWEEP_LABEL }, seen, () => setTimeout(over, 200))
          .then((request) => signal.addEventListener('abort', () => request.abort()));
      });
  }

  private async actOn(pod: V1Pod): Promise<void> {
    const { metadata, status } = pod;
    const uid = metadata!.uid!;
    if (status?.phase !== 'Running' || metadata!.deletionTimestamp !== undefined || this.acted.has(uid)) return;
    this.acted.add(uid);
    await this.finish(pod);
  }

  /** The pod behaves, and ends if it is to end. */
  async finish({ metadata, status }: V1Pod): Promise<void> {
    const part = metadata!.labels![PART_LABEL];
    const end = await this.behave({
      sweep: metadata!.labels![SWEEP_LABEL]!,
      pack: Number(metadata!.annotations![INDEX]),
      ...(part === undefined ? {} : { part: part as Part }),
      attempt: Number(metadata!.annotations![FAILURES] ?? 0),
      job: metadata!.ownerReferences![0]!.name,
    });
    if (end === undefined) return;
    const { exitCode, reason = exitCode === 0 ? 'Completed' : 'Error' } = end;
    const phase = exitCode === 0 ? 'Succeeded' : 'Failed';
    const name = status?.containerStatuses?.[0]?.name ?? 'trainer';
    const terminated = { exitCode, reason, finishedAt: new Date().toISOString() };
    const containerStatuses = [{ name, image: 'x', imageID: '', ready: false, restartCount: 0, state: { terminated } }];
    for (let tries = 0; tries < 50 && !this.ended.signal.aborted; tries++)
      try {
        await this.core.patchNamespacedPodStatus(
          { name: metadata!.name!, namespace: NAMESPACE, body: { status: { phase, containerStatuses } } },
          setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
        );
        return;
      } catch (error) {
        // The pod is gone; or the API server is away for a moment.
        if ((error as { code?: number }).code === 404) return;
        await sleep(200);
      }
  }
}
