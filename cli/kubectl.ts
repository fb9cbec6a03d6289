/** `kubectl prunesweep`: a sweep of a cluster, asked through the API server, so that no port has to be opened. */
import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  type V1Pod,
} from '@kubernetes/client-node';
import { codeOf, NOT_FOUND, sayingOf } from '../controller/kubernetes/api';
import { RETRY_ANNOTATION, SWEEP_LABEL } from '../controller/kubernetes/names';
import { planOf } from '../controller/kubernetes/plan';
import { GROUP, PLURAL, type PruneSweep, VERSION } from '../controller/kubernetes/resource';
import { DataError, SpecError, UsageError } from '../sweep/errors';
import { describeDataset } from '../trainer/data/dataset';
import { gridText } from './plan';
import type { TableFormat } from './table';

export interface KubectlOptions {
  namespace?: string;
  context?: string;
  kubeconfig?: string;
}

const RESOURCE = { group: GROUP, version: VERSION, plural: PLURAL };
/** The Service of k8s/base, and the name of its port. */
const AGGREGATOR = 'prunesweep-aggregator:http';
const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';

const write = (text: string) => process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);

export class Kubectl {
  private readonly custom: CustomObjectsApi;
  private readonly core: CoreV1Api;
  private readonly namespace: string;

  constructor({ namespace, context, kubeconfig }: KubectlOptions) {
    const config = new KubeConfig();
    try {
      if (kubeconfig === undefined) config.loadFromDefault();
      else config.loadFromFile(kubeconfig);
    } catch (error) {
      throw new UsageError(
        `${kubeconfig ?? 'the kubeconfig'}: ${(error as Error).message}; give --kubeconfig or set KUBECONFIG`,
      );
    }
    if (context !== undefined) {
      if (config.getContextObject(context) === null)
        throw new UsageError(
          `--context: ${context} is not in the kubeconfig; it has ${config.contexts.map(({ name }) => name).join(', ')}`,
        );
      config.setCurrentContext(context);
    }
    this.namespace = namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
    this.custom = config.makeApiClient(CustomObjectsApi);
    this.core = config.makeApiClient(CoreV1Api);
  }

  private async sweep(name: string): Promise<PruneSweep> {
    const { namespace } = this;
    try {
      return await this.custom.getNamespacedCustomObject({ ...RESOURCE, namespace, name });
    } catch (error) {
      throw readable(error, `the sweep ${name} of namespace ${namespace}`);
    }
  }

  async table(name: string, format: TableFormat): Promise<void> {
    const { namespace } = this;
    await this.sweep(name);
    try {
      const path = `api/sweeps/${name}/table.${format}`;
      write(await this.core.connectGetNamespacedServiceProxyWithPath({ name: AGGREGATOR, namespace, path }));
    } catch (error) {
      throw readable(error, `the table of ${name}, from the Service ${AGGREGATOR} of namespace ${namespace}`);
    }
  }

  async plan(name: string): Promise<void> {
    const plan = planOf(await this.sweep(name), describeDataset({ name: 'mnist', validation: 0 }));
    if ('problems' in plan) throw new SpecError(plan.problems);
    write(`${gridText(plan.definition)}up to ${plan.spec.parallelism} pods at once`);
  }

  async status(name: string): Promise<void> {
    const { status } = await this.sweep(name);
    if (status === undefined) {
      write(`${name}: not yet seen by a controller`);
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
        .catch((error) => readable(error, 'its log').message);
      write(text);
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

/** An error of the API server as a sentence. */
const readable = (error: unknown, what: string): Error =>
  new DataError(
    `${what}: ${codeOf(error) === NOT_FOUND ? 'there is none; kubectl get prunesweeps shows which there are' : sayingOf(error)}`,
  );
