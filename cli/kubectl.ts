/** `kubectl prunesweep`: a sweep of a cluster, asked through the API server, so that no port has to be opened. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  CoreV1Api,
  CustomObjectsApi,
  createConfiguration,
  KubeConfig,
  PatchStrategy,
  ServerConfiguration,
  setHeaderOptions,
  type V1Pod,
} from '@kubernetes/client-node';
import { codeOf, NOT_FOUND, sayingOf } from '../controller/kubernetes/api';
import { RETRY_ANNOTATION, SWEEP_LABEL } from '../controller/kubernetes/names';
import { planOf } from '../controller/kubernetes/plan';
import { GROUP, PLURAL, type PruneSweep, VERSION } from '../controller/kubernetes/resource';
import { DataError, SpecError, UsageError } from '../sweep/errors';
import { describeDataset } from '../trainer/data/dataset';
import { readableLog } from './log';
import { gridText, podsText } from './plan';
import type { TableFormat } from './table';

export interface KubectlOptions {
  namespace?: string;
  context?: string;
  kubeconfig?: string;
}

const RESOURCE = { group: GROUP, version: VERSION, plural: PLURAL };
/** The Service of k8s/base, and the name of its port. */
const AGGREGATOR = 'prunesweep-aggregator:http';
/** Of `loadFromDefault` when it has found nothing. */
const NOWHERE = 'http://localhost:8080';
const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';

const write = (text: string) => process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);

export class Kubectl {
  private readonly config: KubeConfig;
  private readonly custom: CustomObjectsApi;
  private readonly core: CoreV1Api;
  private readonly namespace: string;

  constructor(options: KubectlOptions) {
    this.config = configOf(options);
    this.namespace =
      options.namespace ?? this.config.getContextObject(this.config.currentContext)?.namespace ?? 'default';
    this.custom = this.config.makeApiClient(CustomObjectsApi);
    this.core = this.config.makeApiClient(CoreV1Api);
  }

  private async sweep(name: string): Promise<PruneSweep> {
    const { namespace } = this;
    const what = `the sweep ${name} of namespace ${namespace}`;
    try {
      return await this.custom.getNamespacedCustomObject({ ...RESOURCE, namespace, name });
    } catch (error) {
      if (codeOf(error) !== NOT_FOUND) throw this.readable(error, what);
      // Only an API server that knows the kind says it in its own words.
      throw new DataError(
        isStatus(error)
          ? `${what}: there is none; kubectl get prunesweeps -n ${namespace} shows which there are`
          : `${what}: the cluster knows no PruneSweeps; kubectl apply -k k8s/crd makes them known`,
      );
    }
  }

  /** An error of the API server, or of what it asked for us, as a sentence. */
  private readable(error: unknown, what: string): DataError {
    const { cause } = error as { cause?: Error };
    const saying =
      cause === undefined
        ? sayingOf(error)
        : `no answer from ${this.config.getCurrentCluster()!.server} (${cause.message})`;
    return new DataError(`${what}: ${saying}`);
  }

  async table(name: string, format: TableFormat): Promise<void> {
    const { namespace } = this;
    await this.sweep(name);
    try {
      const path = `api/sweeps/${name}/table.${format}`;
      write(
        await plainCore(this.config).connectGetNamespacedServiceProxyWithPath({ name: AGGREGATOR, namespace, path }),
      );
    } catch (error) {
      throw this.readable(error, `the table of ${name}, from the Service ${AGGREGATOR} of namespace ${namespace}`);
    }
  }

  async plan(name: string): Promise<void> {
    const plan = planOf(await this.sweep(name), describeDataset({ name: 'mnist', validation: 0 }));
    if ('problems' in plan) throw new SpecError(plan.problems);
    const { definition, spec } = plan;
    write(gridText(definition) + podsText({ ...definition, sweep: { ...definition.sweep, spec } }));
  }

  async status(name: string): Promise<void> {
    const { status } = await this.sweep(name);
    if (status === undefined) {
      write(`${name}: no controller has seen it yet`);
      return;
    }
    const { trials, packs, best, timeLeft, failedTrials = [], conditions } = status;
    const lines = [
      `${name}: ${status.state}`,
      `  trials  ${trials.recorded} of ${trials.total} recorded, ${trials.failed} failed, ${trials.running} running`,
      `  packs   ${packs.succeeded} of ${packs.total} done, ${packs.active} active, ${packs.failed} failed`,
      ...(best === undefined ? [] : [`  best    ${best} weights`]),
      ...(timeLeft === undefined ? [] : [`  left    ${timeLeft}`]),
      ...conditions.map(
        ({ type, status: is, message }) =>
          `  ${type.padEnd(15)} ${is.padEnd(7)} ${message.split('\n').join('\n'.padEnd(27))}`,
      ),
      ...failedTrials.map(({ trial, reason }) => `  failed  ${trial}: ${reason}`),
    ];
    write(lines.join('\n'));
  }

  /** The logs of its pods, those that failed first. @param pack of one pack alone */
  async logs(name: string, pack: number | undefined, most: number): Promise<void> {
    const { namespace } = this;
    await this.sweep(name);
    const { items } = await this.core.listNamespacedPod({ namespace, labelSelector: `${SWEEP_LABEL}=${name}` });
    const indexOf = (pod: V1Pod) => Number(pod.metadata?.annotations?.[INDEX_ANNOTATION]);
    const order = (pod: V1Pod) => ['Failed', 'Running', 'Pending', 'Succeeded'].indexOf(pod.status?.phase ?? '');
    const pods = items
      .filter((pod) => pack === undefined || indexOf(pod) === pack)
      .sort((one, other) => order(one) - order(other) || indexOf(one) - indexOf(other));
    if (pods.length === 0) write(`${name}: there are no pods${pack === undefined ? '' : ` of pack ${pack}`}`);
    for (const pod of pods.slice(0, most)) {
      write(`==> ${pod.metadata!.name} (pack ${indexOf(pod)}, ${pod.status?.phase}) <==`);
      const text = await this.core
        .readNamespacedPodLog({ name: pod.metadata!.name!, namespace })
        .catch((error) => this.readable(error, 'its log').message);
      // A container has no terminal to write to, but who reads its log may have one.
      write(process.stdout.isTTY ? readableLog(text) : text);
    }
    if (pods.length > most) write(`and ${pods.length - most} more pods; --pack chooses one, --pods shows more`);
  }

  async retry(name: string): Promise<void> {
    const { namespace } = this;
    await this.sweep(name);
    await this.custom.patchNamespacedCustomObject(
      {
        ...{ ...RESOURCE, namespace, name, fieldManager: 'kubectl-prunesweep' },
        body: { metadata: { annotations: { [RETRY_ANNOTATION]: new Date().toISOString() } } },
      },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    write(`${name}: what has no record is tried again`);
  }
}

/** @throws UsageError when there is none, or it does not say which cluster */
function configOf({ context, kubeconfig }: KubectlOptions): KubeConfig {
  const config = new KubeConfig();
  const { KUBECONFIG = '' } = process.env;
  const give = 'give --kubeconfig or set KUBECONFIG';
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
  } catch (error) {
    const where = kubeconfig === undefined ? `KUBECONFIG ${KUBECONFIG}` : `--kubeconfig ${kubeconfig}`;
    // Of YAML's message the first line says what, the rest shows the file.
    throw new UsageError(`${where}: ${(error as Error).message.split('\n')[0]}; ${give}`);
  }
  // Without any the client turns to localhost, where hardly anybody has an API server.
  if (kubeconfig === undefined && KUBECONFIG === '' && config.getCurrentCluster()?.server === NOWHERE)
    if (!existsSync(join(homedir(), '.kube', 'config'))) throw new UsageError(`there is no kubeconfig; ${give}`);
  const names = config.contexts.map(({ name }) => name).join(', ') || 'none';
  if (context !== undefined) {
    if (config.getContextObject(context) === null)
      throw new UsageError(`--context: ${context} is not in the kubeconfig; it has ${names}`);
    config.setCurrentContext(context);
  }
  const current = config.getContextObject(config.currentContext);
  if (current === null)
    throw new UsageError(`the kubeconfig names no current context; give --context, one of ${names}`);
  if (config.getCurrentCluster() === null)
    throw new UsageError(
      `the context ${config.currentContext} of the kubeconfig has no cluster ${current.cluster}; ${give}`,
    );
  return config;
}

/** A client that gives any answer as its text: the generated one would parse JSON, and refuses types that it does not know. */
const plainCore = (config: KubeConfig): CoreV1Api =>
  new CoreV1Api(
    createConfiguration({
      baseServer: new ServerConfiguration(config.getCurrentCluster()!.server, {}),
      authMethods: { default: config },
      promiseMiddleware: [
        {
          pre: async (request) => request,
          post: async (response) => {
            response.headers['content-type'] = 'text/plain';
            return response;
          },
        },
      ],
    }),
  );

/** Whether it is the API server that says so, and not something behind it or before it. */
function isStatus(error: unknown): boolean {
  const { body } = error as { body?: unknown };
  return typeof body === 'string' && body.includes('"kind":"Status"');
}
