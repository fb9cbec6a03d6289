/** The API server: what the controller reads of it and writes to it. */
import {
  CoreV1Api,
  CustomObjectsApi,
  type Informer,
  type KubeConfig,
  type KubernetesObject,
  makeInformer,
  type ObjectCache,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { apiClient, CONFLICT, ifCode, NOT_FOUND, ServerClock, sayingOf } from './api';
import type { Happening, PodEnd } from './decide';
import { SWEEP_KEY } from './manifests';
import {
  eventName,
  FIELD_MANAGER,
  FINALIZER,
  PART_LABEL,
  RETRY_ANNOTATION,
  REVISION_LABEL,
  SWEEP_LABEL,
} from './names';
import { type ConfigMap, GROUP, type Job, KIND, PLURAL, type PruneSweep, type SweepStatus, VERSION } from './resource';

const SWEEPS = { group: GROUP, version: VERSION, plural: PLURAL };
const JOBS = { group: 'batch', version: 'v1', plural: 'jobs' };
const MILLISECONDS_BEFORE_ANOTHER_WATCH = 500;
const MOST_PODS = 20;
const OUT_OF_MEMORY = 'OOMKilled';

type Cache<T extends KubernetesObject> = Informer<T> & ObjectCache<T>;

/** Something that is there already, and is somebody else's. */
class Foreign extends Error {}

export class Cluster {
  private readonly custom: CustomObjectsApi;
  private readonly core: CoreV1Api;
  private readonly sweepCache: Cache<PruneSweep>;
  private readonly jobCache: Cache<Job>;
  /** Jobs that were created and have not come back by the watch yet. */
  private readonly created = new Map<string, Job>();
  private isStopped = false;
  readonly clock = new ServerClock();

  /**
   * @param changed called with the name of a sweep when it or what it owns may have changed
   * @param called told the verb of each call before it is made; what it throws is thrown in place of the call
   * @param say told what is waited for
   */
  constructor(
    config: KubeConfig,
    private readonly namespace: string,
    changed: (sweep: string) => void,
    called: (verb: string) => void,
    private readonly say: (line: string) => void,
  ) {
    this.custom = apiClient(config, CustomObjectsApi, called, this.clock);
    this.core = apiClient(config, CoreV1Api, called, this.clock);
    const path = (resource: typeof JOBS) =>
      `/apis/${resource.group}/${resource.version}/namespaces/${namespace}/${resource.plural}`;
    const list = (resource: typeof JOBS, labelSelector?: string) => () =>
      this.custom.listNamespacedCustomObject({
        ...{ ...resource, namespace },
        ...(labelSelector === undefined ? {} : { labelSelector }),
      });
    this.sweepCache = makeInformer<PruneSweep>(config, path(SWEEPS), list(SWEEPS));
    this.jobCache = makeInformer<Job>(config, path(JOBS), list(JOBS, SWEEP_LABEL), SWEEP_LABEL);
    this.sweepCache.on('change', ({ metadata }) => changed(metadata.name!));
    this.jobCache.on('change', ({ metadata }) => changed(metadata!.labels![SWEEP_LABEL]!));
  }

  /** Resolves when all that there is has been seen once; from then on `changed` tells. */
  async watch(): Promise<void> {
    await Promise.all([this.keepWatching(this.sweepCache, 'sweeps'), this.keepWatching(this.jobCache, 'Jobs')]);
  }

  private keepWatching<T extends KubernetesObject>(cache: Cache<T>, what: string): Promise<void> {
    let said = '';
    let failed = false;
    return new Promise((resolve) => {
      const start = async () => {
        if (this.isStopped) return;
        failed = false;
        await cache.start();
        if (failed) return;
        said = '';
        resolve();
      };
      cache.on('error', (error: unknown) => {
        failed = true;
        const line = `watching ${what}: ${sayingOf(error)}; trying again`;
        if (line !== said) this.say(line);
        said = line;
        setTimeout(start, MILLISECONDS_BEFORE_ANOTHER_WATCH);
      });
      void start();
    });
  }

  stop(): void {
    this.isStopped = true;
    void this.sweepCache.stop();
    void this.jobCache.stop();
  }

  sweepNames(): string[] {
    return this.sweepCache.list(this.namespace).map(({ metadata }) => metadata.name!);
  }

  sweep(name: string): PruneSweep | undefined {
    return this.sweepCache.get(name, this.namespace);
  }

  jobsOf({ metadata }: PruneSweep): Job[] {
    for (const [name] of this.created)
      if (this.jobCache.get(name, this.namespace) !== undefined) this.created.delete(name);
    return [...this.jobCache.list(this.namespace), ...this.created.values()].filter(
      (job) => job.metadata?.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true,
    );
  }

  /** The text of the sweep file that a revision's pods are told; undefined when it is gone. */
  async sweepFileOf(job: Job): Promise<string | undefined> {
    const { namespace } = this;
    const configMap = await this.core
      .readNamespacedConfigMap({ name: job.metadata!.name!, namespace })
      .catch(ifCode(NOT_FOUND));
    return configMap?.data?.[SWEEP_KEY];
  }

  /** Why pods of a Job failed, the first ones. */
  async failedPods({ metadata }: Job): Promise<PodEnd[]> {
    const { items } = await this.core.listNamespacedPod({
      ...{ namespace: this.namespace, limit: MOST_PODS, fieldSelector: 'status.phase=Failed' },
      labelSelector: `batch.kubernetes.io/job-name=${metadata!.name}`,
    });
    return items.map(({ metadata: pod, status }) => {
      const ended = status?.containerStatuses?.[0]?.state?.terminated;
      const pack = Number(pod?.annotations?.['batch.kubernetes.io/job-completion-index']);
      const what =
        ended === undefined ? (status?.reason ?? 'no container ran') : `${ended.reason}, exit ${ended.exitCode}`;
      const mend = ended?.reason === OUT_OF_MEMORY ? '; raise spec.template.resources.limits.memory' : '';
      const part = pod?.labels?.[PART_LABEL];
      return { pack: `${part ?? 'pack'} ${pack}`, reason: `${what}${mend}` };
    });
  }

  /** Nothing happens when it is there and the sweep's. */
  async create(sweep: PruneSweep, configMap: ConfigMap, job: Job): Promise<void> {
    const { namespace } = this;
    const name = job.metadata!.name!;
    const mine = (metadata: { ownerReferences?: { uid: string }[] } | undefined) => {
      // Of a sweep of the same name that was deleted; it goes away soon.
      if (metadata?.ownerReferences?.some(({ uid }) => uid === sweep.metadata.uid) !== true)
        throw new Foreign(`${name} is there and belongs to another sweep`);
    };
    const { generation, annotations } = sweep.metadata;
    // Of a sweep that was never changed there was never another revision.
    if (generation !== 1 || annotations?.[RETRY_ANNOTATION] !== undefined) await this.clear(sweep, configMap);
    const asks = { namespace, fieldManager: FIELD_MANAGER };
    const isThere = await this.core.createNamespacedConfigMap({ ...asks, body: configMap }).catch(ifCode(CONFLICT));
    if (isThere === undefined) mine((await this.core.readNamespacedConfigMap({ name, namespace })).metadata);
    const made = await this.custom
      .createNamespacedCustomObject({ ...JOBS, ...asks, body: job })
      .catch(ifCode(CONFLICT));
    const found = made ?? (await this.custom.getNamespacedCustomObject({ ...JOBS, namespace, name }));
    mine(found.metadata);
    this.created.set(name, found);
  }

  /** Deletes what a controller left that died between the creation of a ConfigMap and that of its Job. */
  private async clear(sweep: PruneSweep, configMap: ConfigMap): Promise<void> {
    const revisions = [configMap, ...this.jobsOf(sweep)].map(({ metadata }) => metadata!.labels![REVISION_LABEL]);
    await this.core.deleteCollectionNamespacedConfigMap({
      namespace: this.namespace,
      labelSelector: `${SWEEP_LABEL}=${sweep.metadata.name},${REVISION_LABEL} notin (${revisions})`,
    });
  }

  async scale(name: string, spec: { parallelism: number; suspend?: boolean }): Promise<void> {
    const { namespace } = this;
    await this.custom.patchNamespacedCustomObject(
      {
        ...{ ...JOBS, namespace, name, fieldManager: FIELD_MANAGER, force: true },
        body: { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, namespace }, spec },
      },
      setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply),
    );
  }

  /**
   * The Job and its pods. The ConfigMap of the same name goes before it, since only as long as the Job is there anybody
   * knows that it is to go; it stays where the Job is to come back, as one that was taken from its queue is.
   */
  async delete(name: string, keepsConfigMap: boolean): Promise<void> {
    const { namespace } = this;
    if (!keepsConfigMap) await this.core.deleteNamespacedConfigMap({ name, namespace }).catch(ifCode(NOT_FOUND));
    this.created.delete(name);
    await this.custom
      .deleteNamespacedCustomObject({ ...JOBS, namespace, name, propagationPolicy: 'Background' })
      .catch(ifCode(NOT_FOUND));
  }

  async writeStatus({ metadata, spec }: PruneSweep, status: SweepStatus): Promise<void> {
    const { namespace, name, resourceVersion } = metadata;
    await this.custom.replaceNamespacedCustomObjectStatus({
      ...{ ...SWEEPS, namespace: namespace!, name: name!, fieldManager: FIELD_MANAGER },
      body: {
        ...{
          apiVersion: `${GROUP}/${VERSION}`,
          kind: KIND,
          metadata: { name, namespace, resourceVersion },
          spec,
          status,
        },
      },
    });
  }

  /** Adds or takes away what keeps a deleted sweep until its table is withdrawn. */
  async setHold({ metadata }: PruneSweep, isHeld: boolean): Promise<void> {
    const { namespace, name, resourceVersion, finalizers = [] } = metadata;
    const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
    await this.custom.patchNamespacedCustomObject(
      {
        ...{ ...SWEEPS, namespace: namespace!, name: name!, fieldManager: FIELD_MANAGER },
        body: { metadata: { resourceVersion, finalizers: isHeld ? [...others, FINALIZER] : others } },
      },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  }

  async tell({ metadata }: PruneSweep, { type, reason, message }: Happening): Promise<void> {
    const { namespace, name, uid, generation = 0 } = metadata;
    const { now } = this.clock;
    await this.core
      .createNamespacedEvent({
        namespace: namespace!,
        body: {
          metadata: { name: eventName(name!, uid!, generation, reason), namespace: namespace! },
          involvedObject: {
            apiVersion: `${GROUP}/${VERSION}`,
            kind: KIND,
            name: name!,
            namespace: namespace!,
            uid: uid!,
          },
          ...{ type, reason, message: message.slice(0, 1000), count: 1, firstTimestamp: now, lastTimestamp: now },
          ...{ source: { component: FIELD_MANAGER }, reportingComponent: FIELD_MANAGER, reportingInstance: '' },
        },
      })
      .catch(ifCode(CONFLICT));
  }
}
