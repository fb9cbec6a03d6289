/** Who may talk to whom, by the rendered policies and the labels of the rendered pods. No network plugin enforces them here. */
import type {
  V1LabelSelector,
  V1NetworkPolicy,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1NetworkPolicySpec,
} from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { jobOfSweep, sweepOf } from '../controller/kubernetes/sweeps';
import { hasKubernetes, whyNoKubernetes } from '../servers/kubernetes';
import { OVERLAY_NAMES, type OverlayName, render, workloads } from './overlays';

interface Pod {
  name: string;
  labels: Record<string, string>;
  /** Whether it is in the namespace of the policies. */
  isInside: boolean;
  ports: number[];
}

/** As the API has them: `In` and the like are used nowhere. */
function selects({ matchLabels = {}, matchExpressions = [] }: V1LabelSelector, labels: Pod['labels']): boolean {
  for (const { operator } of matchExpressions)
    if (operator !== 'Exists') throw new Error(`${operator} is not read here`);
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key }) => key in labels)
  );
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: V1NetworkPolicyPeer, pod: Pod): boolean {
  if (ipBlock !== undefined) throw new Error('addresses are not read here');
  if (namespaceSelector === undefined) return pod.isInside && selects(podSelector!, pod.labels);
  return selects(namespaceSelector, {}) && (podSelector === undefined || selects(podSelector, pod.labels));
}

/** As it is in a file; client-node's type calls `from` otherwise. */
interface Rule {
  ports?: V1NetworkPolicyPort[];
  from?: V1NetworkPolicyPeer[];
  to?: V1NetworkPolicyPeer[];
}

const hasPort = (ports: V1NetworkPolicyPort[] | undefined, port: number): boolean =>
  ports === undefined || ports.some((one) => one.port === port && (one.protocol ?? 'TCP') === 'TCP');

/** Whether a pod is not denied a connection in one direction. */
function isAllowed(policies: readonly V1NetworkPolicySpec[], pod: Pod, other: Pod, port: number, way: 'in' | 'out') {
  const type = way === 'in' ? 'Ingress' : 'Egress';
  const own = policies.filter(
    ({ podSelector, policyTypes }) => pod.isInside && policyTypes!.includes(type) && selects(podSelector!, pod.labels),
  );
  if (own.length === 0) return true;
  return own.some((policy) => {
    const rules = way === 'in' ? (policy.ingress ?? []) : (policy.egress ?? []);
    return rules.some(({ ports, from, to }: Rule) => {
      const peers = way === 'in' ? from : to;
      return hasPort(ports, port) && (peers === undefined || peers.some((peer) => isPeer(peer, other)));
    });
  });
}

async function rendered(overlay: OverlayName): Promise<{ policies: V1NetworkPolicy[]; pods: Pod[] }> {
  const manifests = await render(overlay);
  const trainer = jobOfSweep(sweepOf()).spec!.template;
  const pods = workloads(manifests).map(({ metadata: { name }, spec: { template } }) => ({
    ...{ name, labels: template.metadata!.labels!, isInside: true },
    ports: template.spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
  }));
  return {
    policies: manifests.filter(({ kind }) => kind === 'NetworkPolicy') as V1NetworkPolicy[],
    pods: [...pods, { name: 'trainer', labels: trainer.metadata!.labels!, isInside: true, ports: [] }],
  };
}

const STRANGERS: Pod[] = [
  { name: 'pod of somebody else here', labels: {}, isInside: true, ports: [] },
  { name: 'pod of another namespace', labels: {}, isInside: false, ports: [] },
  // Who calls itself ours somewhere else is not.
  {
    name: 'impostor of another namespace',
    labels: { 'app.kubernetes.io/name': 'prunesweep-aggregator', 'prunesweep.dev/sweep': 'x' },
    ...{ isInside: false, ports: [] },
  },
];
const EVERYBODY = [
  ...['nats', 'prunesweep-aggregator', 'prunesweep-controller', 'trainer'],
  ...STRANGERS.map(({ name }) => name),
];

/** What is used: the clients of NATS, its servers among themselves, and who reads the API. */
const ALLOWED: Record<string, string[]> = {
  'nats:4222': ['prunesweep-aggregator', 'prunesweep-controller', 'trainer'],
  'nats:8222': [],
  'prunesweep-aggregator:8080': EVERYBODY.filter(
    (name) => !['nats', 'prunesweep-aggregator', 'trainer'].includes(name),
  ),
  'prunesweep-controller:8081': [],
};
const IN_PRODUCTION = {
  'nats:6222': ['nats'],
  // Prometheus may be anywhere.
  'prunesweep-controller:8081': ['prunesweep-controller', ...STRANGERS.map(({ name }) => name)],
};

for (const overlay of OVERLAY_NAMES)
  describe.runIf(hasKubernetes)(`the network policies of ${overlay}${whyNoKubernetes}`, () => {
    it('select each pod of ours, in both directions, and no other', async () => {
      const { policies, pods } = await rendered(overlay);
      const bySelector = policies.map(({ metadata, spec }) => [
        metadata!.name!,
        [...pods, ...STRANGERS.slice(0, 1)]
          .filter(({ labels }) => selects(spec!.podSelector!, labels))
          .map(({ name }) => name),
        spec!.policyTypes,
      ]);
      const both = ['Ingress', 'Egress'];
      expect(bySelector).toEqual([
        ['nats', ['nats'], both],
        ['prunesweep-aggregator', ['prunesweep-aggregator'], both],
        ['prunesweep-controller', ['prunesweep-controller'], both],
        ['prunesweep-trainer', ['trainer'], both],
      ]);
    });

    it('allow what is used between pods, and nothing else', async () => {
      const { policies, pods } = await rendered(overlay);
      const specs = policies.map(({ spec }) => spec!);
      const allowed: Record<string, string[]> = {};
      for (const to of pods)
        for (const port of to.ports)
          allowed[`${to.name}:${port}`] = [...pods, ...STRANGERS]
            .filter((from) => isAllowed(specs, to, from, port, 'in') && isAllowed(specs, from, to, port, 'out'))
            .map(({ name }) => name)
            .sort();
      const wanted = { ...ALLOWED, ...(overlay === 'production' ? IN_PRODUCTION : {}) };
      const sorted = Object.entries(wanted).map(([place, names]) => [place, [...names].sort()]);
      expect(allowed).toEqual(Object.fromEntries(sorted));
    });

    it('leave the trainer nothing but NATS and the names of the cluster', async () => {
      const { policies, pods } = await rendered(overlay);
      const trainer = policies.find(({ spec }) => selects(spec!.podSelector!, pods.at(-1)!.labels))!;
      const nats = pods.find(({ name }) => name === 'nats')!;
      expect(trainer.spec!.egress).toEqual([
        { ports: [{ port: 4222 }], to: [{ podSelector: { matchLabels: nats.labels } }] },
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
      ]);
    });
  });
