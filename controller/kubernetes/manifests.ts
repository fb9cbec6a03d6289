/** The two objects of each stage of a sweep, whatever its size: a ConfigMap that says what to do, and an Indexed Job of it. */
import type { V1PodSpec } from '@kubernetes/client-node';
import { sweepYaml } from '../../sweep/accept';
import { GPU_RESOURCE, templateOf } from '../../sweep/packs';
import { PART_LABEL, QUEUE_LABEL, REVISION_LABEL, SWEEP_LABEL } from './names';
import type { Plan, Stage } from './plan';
import { type ConfigMap, GROUP, type Job, KIND, type PruneSweep, VERSION } from './resource';

/** What pods are started with that no sweep says. */
export interface PodSettings {
  image: string;
  /** A Secret with the key `url`, where NATS is and who trainers are there; and `ca.crt`, the authority of its certificate. */
  natsSecret: string;
  /** Whether that Secret has a `ca.crt`. */
  hasAuthority: boolean;
  serviceAccount: string;
  /** Of pods with a GPU, when the sweep says nothing else. */
  gpuPods: GpuPods;
}

/** How the cluster keeps its nodes with GPUs apart, and the image that has TensorFlow in it. */
export interface GpuPods extends Pick<V1PodSpec, 'nodeSelector' | 'tolerations'> {
  /** That of other pods if nothing else is said. */
  image?: string;
}

export const SWEEP_KEY = 'sweep.yaml';
const CONTAINER = 'trainer';
const [SWEEP_FOLDER, NATS_FOLDER] = ['/etc/prunesweep/sweep', '/etc/prunesweep/nats'];

/** One core, and room for twice the memory that it takes. */
function resourcesOf(mebibytes: number) {
  return { requests: { cpu: '1', memory: `${mebibytes}Mi` }, limits: { memory: `${2 * mebibytes}Mi` } };
}
/** A trainer makes durable what is under way in 5 s. */
const GRACE_SECONDS = 30;
/** Pods of a finished Job are kept for their logs. */
const SECONDS_UNTIL_GONE = 24 * 3600;

/** sysexits.h: wrong usage, which any other pod would end with too; and data that trying again does not mend. */
const [USAGE, DATA] = [64, 65];

function metadataOf(sweep: PruneSweep, { revision }: Plan, { job, part }: Stage) {
  const { name, namespace, uid } = sweep.metadata;
  return {
    ...{ name: job, namespace: namespace! },
    labels: {
      ...{ [SWEEP_LABEL]: name!, [REVISION_LABEL]: revision },
      ...(part === undefined ? {} : { [PART_LABEL]: part }),
    } as Record<string, string>,
    ownerReferences: [{ apiVersion: `${GROUP}/${VERSION}`, kind: KIND, name: name!, uid: uid!, controller: true }],
  };
}

export const configMapOf = (sweep: PruneSweep, plan: Plan, stage: Stage): ConfigMap => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadataOf(sweep, plan, stage), immutable: true },
  data: { [SWEEP_KEY]: sweepYaml(plan.definition.sweep) },
});

/** @param parallelism pods at once */
export function jobOf(sweep: PruneSweep, plan: Plan, stage: Stage, parallelism: number, settings: PodSettings): Job {
  const metadata = metadataOf(sweep, plan, stage);
  const { labels } = metadata;
  const { queueName } = plan.spec.template;
  const exits = (code: number) => ({ containerName: CONTAINER, operator: 'In', values: [code] });
  return {
    ...{ apiVersion: 'batch/v1', kind: 'Job' },
    metadata: queueName === undefined ? metadata : { ...metadata, labels: { ...labels, [QUEUE_LABEL]: queueName } },
    spec: {
      ...{ completionMode: 'Indexed', completions: stage.packs, parallelism },
      // A queue's Job is started by Kueue.
      suspend: queueName !== undefined,
      // Once more after a crash or when memory ran out.
      backoffLimitPerIndex: 1,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'FailJob', onExitCodes: exits(USAGE) },
          { action: 'FailIndex', onExitCodes: exits(DATA) },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      },
      ttlSecondsAfterFinished: SECONDS_UNTIL_GONE,
      template: { metadata: { labels }, spec: podOf(plan, stage, settings) },
    },
  };
}

function podOf({ spec }: Plan, { job, part, mebibytes }: Stage, settings: PodSettings): V1PodSpec {
  const template = templateOf(spec.template, part);
  const { resources, accelerator, gpuResource = GPU_RESOURCE } = template;
  const hasGpu = accelerator === 'gpu';
  const { image = settings.image, ...placement }: GpuPods = hasGpu ? settings.gpuPods : {};
  const { nodeSelector, tolerations }: GpuPods = { ...placement, ...template };
  const asked = resources ?? resourcesOf(mebibytes);
  const withGpu = { ...asked, limits: { [gpuResource]: '1', ...asked.limits } };
  return {
    ...{ restartPolicy: 'Never', terminationGracePeriodSeconds: GRACE_SECONDS },
    ...{ serviceAccountName: settings.serviceAccount, automountServiceAccountToken: false, enableServiceLinks: false },
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(tolerations === undefined ? {} : { tolerations }),
    containers: [
      {
        ...{ name: CONTAINER, image },
        // The pack is JOB_COMPLETION_INDEX, which an Indexed Job sets.
        args: [
          ...['trainer', '--sweep', `${SWEEP_FOLDER}/${SWEEP_KEY}`],
          ...(part === undefined ? [] : ['--part', part]),
          ...(settings.hasAuthority ? ['--ca', `${NATS_FOLDER}/ca.crt`] : []),
        ],
        env: [{ name: 'NATS_URL', valueFrom: { secretKeyRef: { name: settings.natsSecret, key: 'url' } } }],
        resources: hasGpu ? withGpu : asked,
        securityContext: {
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        },
        volumeMounts: [
          { name: 'sweep', mountPath: SWEEP_FOLDER, readOnly: true },
          ...(settings.hasAuthority ? [{ name: 'nats', mountPath: NATS_FOLDER, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: 'sweep', configMap: { name: job } },
      ...(settings.hasAuthority
        ? [{ name: 'nats', secret: { secretName: settings.natsSecret, items: [{ key: 'ca.crt', path: 'ca.crt' }] } }]
        : []),
    ],
  };
}
