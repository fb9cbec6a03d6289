/** Sees all that is said of sweeps, holds it against what was published, and in the end looks at what there is. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  PatchStrategy,
  setHeaderOptions,
  Watch,
} from '@kubernetes/client-node';
import { onTestFinished } from 'vitest';
import { SWEEP_LABEL } from '../../../controller/kubernetes/names';
import { GROUP, PLURAL, type PruneSweep, VERSION } from '../../../controller/kubernetes/resource';
import { acceptSweep } from '../../../sweep/accept';
import { gridPoints } from '../../../sweep/grid';
import { NAMESPACE, type TestCluster } from '../../controller/kubernetes/cluster';
import { document, MNIST } from '../../fixtures';

const SWEEPS = { group: GROUP, version: VERSION, plural: PLURAL, namespace: NAMESPACE };
const CONTROLLER = `system:serviceaccount:${NAMESPACE}:prunesweep-controller`;

const trialsOf = (name: string, spec: object): string[] =>
  gridPoints(acceptSweep(document(spec, name), MNIST).spec, MNIST).map(({ trial }) => trial.id);

/** Again and again until the API server takes it, which may be away. */
export async function patiently<T>(call: () => Promise<T>, milliseconds = 60_000): Promise<T> {
  for (const until = performance.now() + milliseconds; ; await sleep(100))
    try {
      return await call();
    } catch (error) {
      const { code } = error as { code?: number };
      const isAnswer = code !== undefined && code < 500 && code !== 429;
      if (isAnswer || performance.now() > until) throw error;
    }
}

export class Witness {
  /** What was said and was not so. */
  readonly lies: string[] = [];
  private readonly custom: CustomObjectsApi;
  private readonly core: CoreV1Api;
  private readonly batch: BatchV1Api;
  /** By NAME/GENERATION. */
  private readonly grids = new Map<string, string[]>();

  constructor(private readonly cluster: TestCluster) {
    this.custom = cluster.config.makeApiClient(CustomObjectsApi);
    this.core = cluster.config.makeApiClient(CoreV1Api);
    this.batch = cluster.config.makeApiClient(BatchV1Api);
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    void this.watch(ended.signal);
  }

  async apply(name: string, spec: object): Promise<void> {
    const body = { ...document(spec, name), metadata: { name, namespace: NAMESPACE } };
    await patiently(() => this.custom.createNamespacedCustomObject({ ...SWEEPS, body })).catch((error) => {
      // It was taken, and the answer was lost.
      if (error.code !== 409) throw error;
    });
  }

  async edit(name: string, spec: object): Promise<void> {
    const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
    await patiently(() => this.custom.patchNamespacedCustomObject({ ...SWEEPS, name, body: { spec } }, options));
  }

  sweep(name: string): Promise<PruneSweep> {
    return patiently(() => this.custom.getNamespacedCustomObject({ ...SWEEPS, name }));
  }

  async delete(name: string): Promise<void> {
    await patiently(() => this.custom.deleteNamespacedCustomObject({ ...SWEEPS, name }));
  }

  /** Whoever is to lead next need not wait. */
  async freeLease(): Promise<void> {
    const lease = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', namespace: NAMESPACE };
    await this.custom.deleteNamespacedCustomObject({ ...lease, name: 'prunesweep-controller' }).catch(() => {});
  }

  /** Until what the status says of the spec as it is now is so. */
  async until(name: string, isSo: (status: NonNullable<PruneSweep['status']>) => boolean, seconds = 60): Promise<void> {
    for (const end = performance.now() + 1000 * seconds; ; await sleep(50)) {
      const { metadata, status } = await this.sweep(name);
      if (status !== undefined && status.observedGeneration === metadata.generation && isSo(status)) return;
      if (performance.now() > end)
        throw new Error(`${name} is not so after ${seconds} s (${isSo}): ${JSON.stringify(status)}`);
    }
  }

  /** Of a sweep that is to be complete: what is not as it must be once nothing changes any more. */
  async problemsOf(name: string, seconds = 60): Promise<string[]> {
    let problems: string[] = [];
    for (const end = performance.now() + 1000 * seconds; performance.now() < end; await sleep(100)) {
      problems = await this.unsettled(name);
      if (problems.length === 0) break;
    }
    return [...problems, ...this.lies, ...this.twice()];
  }

  private async unsettled(name: string): Promise<string[]> {
    const { spec, status } = await this.sweep(name);
    const trials = trialsOf(name, spec).length;
    const ofSweep = { namespace: NAMESPACE, labelSelector: `${SWEEP_LABEL}=${name}` };
    const jobs = (await patiently(() => this.batch.listNamespacedJob(ofSweep))).items;
    const configMaps = (await patiently(() => this.core.listNamespacedConfigMap(ofSweep))).items;
    const namesOf = (items: { metadata?: { name?: string } }[]) => items.map(({ metadata }) => metadata!.name!).join();
    const expected = { total: trials, recorded: trials, failed: 0, running: 0 };
    return [
      ...(status?.state === 'Complete' ? [] : [`${name} is ${status?.state}`]),
      ...(isDeepStrictEqual(status?.trials, expected) ? [] : [`${name} has ${JSON.stringify(status?.trials)}`]),
      ...(status?.packs.active === 0 ? [] : [`${name} has ${status?.packs.active} packs at work`]),
      ...(namesOf(jobs) === status?.job ? [] : [`${name} owns the Jobs ${namesOf(jobs)}, not ${status?.job} alone`]),
      ...(namesOf(configMaps) === status?.job ? [] : [`${name} owns the ConfigMaps ${namesOf(configMaps)}`]),
    ];
  }

  /** What controllers created more than once. */
  twice(): string[] {
    const created = this.cluster.plane
      .auditEvents()
      .filter(({ user, verb, code, resource }) => user === CONTROLLER && verb === 'create' && code === 201 && resource)
      .filter(({ resource }) => resource !== 'leases')
      .map(({ resource, name }) => `${resource}/${name}`);
    const seen = new Set<string>();
    return created.filter((one) => seen.size === seen.add(one).size).map((one) => `${one} was created twice`);
  }

  private async watch(signal: AbortSignal): Promise<void> {
    const watch = new Watch(this.cluster.config);
    const path = `/apis/${GROUP}/${VERSION}/namespaces/${NAMESPACE}/${PLURAL}`;
    while (!signal.aborted)
      await new Promise<void>((over) => {
        const seen = (_: string, sweep: PruneSweep) => this.judge(sweep);
        watch
          .watch(path, {}, seen, () => setTimeout(over, 100))
          .then(
            (request) => signal.addEventListener('abort', () => request.abort()),
            () => setTimeout(over, 100),
          );
      });
  }

  private judge({ metadata, spec, status }: PruneSweep): void {
    if (metadata === undefined || spec === undefined) return;
    const { name, generation } = metadata;
    const key = `${name}/${generation}`;
    if (!this.grids.has(key)) this.grids.set(key, trialsOf(name!, spec));
    // What is said is said of the grid of then; where that was never seen nothing can be held against it.
    const grid = this.grids.get(`${name}/${status?.observedGeneration}`);
    if (status === undefined || grid === undefined) return;
    const published = grid.filter((id) => this.cluster.published.has(id)).length;
    if (status.trials.recorded > published)
      this.lies.push(`${name}: ${status.trials.recorded} recorded, and ${published} were published`);
    for (const { type, status: is, message } of status.conditions)
      if (is === 'True' && ((/Complete/.test(type) && published < grid.length) || type === 'Failed'))
        this.lies.push(`${name}: ${type} (${message}) with ${published} of ${grid.length} published`);
  }
}
