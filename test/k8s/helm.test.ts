/** The chart, rendered by the real helm and installed into a real API server. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chartFiles } from '../../k8s/helm/generate';
import { version } from '../../package.json';
import { hasHelm, helmProgram, whyNoHelm } from '../servers/helm';
import { ControlPlane, hasKubernetes, whyNoKubernetes } from '../servers/kubernetes';
import { outcomeOf } from '../servers/kubernetes/controlplane';
import { type Manifest, manifestsIn, NAMESPACE, type OverlayName, render } from './overlays';

const CHART = resolve(__dirname, '../../k8s/helm');
const FOR_PRODUCTION = ['--values', join(CHART, 'values-production.yaml')];
const isHere = hasHelm && hasKubernetes;
const why = `${whyNoHelm}${whyNoKubernetes}`;

const helm = (...args: string[]) => outcomeOf(helmProgram(), args, '', process.env);
const template = (...args: string[]) =>
  helm('template', 'prunesweep', CHART, '--namespace', NAMESPACE, '--include-crds', ...args);

async function rendered(...args: string[]): Promise<Manifest[]> {
  const { code, stdout, stderr } = await template(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return manifestsIn(stdout);
}

const nameOf = ({ kind, metadata: { name } }: Manifest) => `${kind} ${name}`;

/** Lists of a pod whose order says nothing, each by what its items are told apart by. */
const SETS: Record<string, string> = { volumes: 'name', volumeMounts: 'mountPath', ports: 'name', env: 'name' };

function inOrder(value: unknown, field = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => inOrder(item));
    const key = SETS[field];
    const keyOf = (item: unknown) => String((item as Record<string, unknown>)[key!]);
    return key === undefined ? items : items.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inOrder(part, name)]));
}

/** Kustomize puts a hash of the ConfigMap into its name, helm one into the pods' annotations: either makes other pods of another configuration. */
const HASH_IN_NAME = /"nats-[a-z0-9]{10}"/g;
const CHECKSUM = 'checksum/config';

function ofKustomize(manifests: readonly Manifest[]): Map<string, unknown> {
  const plain = JSON.parse(JSON.stringify(manifests).replace(HASH_IN_NAME, '"nats"')) as Manifest[];
  // helm makes the namespace when it is told to, and puts into it what names none.
  const items = plain.filter(({ kind }) => kind !== 'Namespace');
  for (const { metadata } of items) delete metadata.namespace;
  return new Map(items.map((item) => [nameOf(item), inOrder(item)]));
}

function ofHelm(manifests: readonly Manifest[]): Map<string, unknown> {
  for (const { spec } of manifests) {
    const metadata = spec?.template?.metadata;
    if (metadata?.annotations?.[CHECKSUM] !== undefined) delete metadata.annotations;
  }
  return new Map(manifests.map((item) => [nameOf(item), inOrder(item)]));
}

describe.runIf(isHere)(`the chart${why}`, () => {
  const same: [OverlayName, string[]][] = [
    ['quickstart', []],
    ['production', FOR_PRODUCTION],
    ['gpu', ['--values', join(CHART, 'values-gpu.yaml')]],
  ];
  it.each(same)('has each object as the overlay %s has it, and no other', async (overlay, values) => {
    const [wanted, found] = [ofKustomize(await render(overlay)), ofHelm(await rendered(...values))];
    expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [name, object] of wanted) expect(found.get(name), name).toEqual(object);
  });

  it('has copies that are those of their folders, and is of the version that the package is', async () => {
    for (const [name, text] of Object.entries(chartFiles()))
      expect(readFileSync(join(CHART, name), 'utf8'), `${name}: npm run chart`).toBe(text);
    const { stdout } = await helm('show', 'chart', CHART);
    expect(stdout).toContain(`\nappVersion: ${version}\n`);
    expect(stdout).toContain(`\nversion: ${version}\n`);
  });

  it('is to the taste of helm lint', async () => {
    const { code, stdout } = await helm('lint', '--strict', CHART);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('0 chart(s) failed') });
  });

  it('does with each value what it says', async () => {
    const set = {
      ...{ 'image.repository': 'here/prunesweep', 'image.tag': 'v9', 'imagePullSecrets[0].name': 'mine' },
      ...{ 'nats.image': 'here/nats:1', 'nats.storage': '7Gi', 'nats.storageClassName': 'fast' },
      ...{ 'nats.resources.requests.cpu': '3', 'aggregator.storage': '8Gi', 'aggregator.storageClassName': 'slow' },
      ...{ 'aggregator.resources.limits.memory': '9Gi', 'controller.replicas': '4', 'controller.heap': '500' },
      ...{ 'controller.resources.limits.memory': '10Gi' },
    };
    const [plain, other] = [ofHelm(await rendered()), ofHelm(await rendered(...setting(set)))];
    expect(changesOf(plain, other)).toMatchInlineSnapshot(`
      [
        "PodDisruptionBudget prunesweep-controller",
        "ServiceAccount prunesweep-aggregator: imagePullSecrets.0.name: mine",
        "ServiceAccount prunesweep-controller: imagePullSecrets.0.name: mine",
        "ServiceAccount prunesweep-trainer: imagePullSecrets.0.name: mine",
        "PersistentVolumeClaim prunesweep-store",
        "Deployment prunesweep-aggregator: spec.template.spec.containers.0.image: here/prunesweep:v9",
        "Deployment prunesweep-aggregator: spec.template.spec.containers.0.resources.limits.memory: 9Gi",
        "Deployment prunesweep-aggregator: spec.template.spec.volumes.0.persistentVolumeClaim.claimName: prunesweep-store",
        "Deployment prunesweep-controller: spec.replicas: 4",
        "Deployment prunesweep-controller: spec.template.spec.containers.0.image: here/prunesweep:v9",
        "Deployment prunesweep-controller: spec.template.spec.containers.0.env.1.value: --max-old-space-size=500 --max-semi-space-size=4",
        "Deployment prunesweep-controller: spec.template.spec.containers.0.resources.limits.memory: 10Gi",
        "StatefulSet nats: spec.template.spec.imagePullSecrets.0.name: mine",
        "StatefulSet nats: spec.template.spec.containers.0.image: here/nats:1",
        "StatefulSet nats: spec.template.spec.containers.0.resources.requests.cpu: 3",
        "StatefulSet nats: spec.volumeClaimTemplates.0.spec.storageClassName: fast",
        "StatefulSet nats: spec.volumeClaimTemplates.0.spec.resources.requests.storage: 7Gi",
      ]
    `);
    const monitored = changesOf(plain, ofHelm(await rendered('--set', 'monitoring=true')));
    expect(monitored).toEqual([
      'NetworkPolicy prunesweep-controller: spec.ingress.0.ports.0.port: 8081',
      ...['PodMonitor prunesweep-controller', 'PrometheusRule prunesweep', 'ServiceMonitor prunesweep-aggregator'],
    ]);
  });

  const refused: [string, RegExp][] = [
    ['nats.replicas=2', /\/nats\/replicas'?: value must be one of 1, 3/],
    ['nats.storage=big', /\/nats\/storage'?: 'big' does not match pattern/],
    ['nats.resources.request.cpu=1', /\/nats\/resources'?: additional properties 'request' not allowed/],
    ['controller.replica=2', /\/controller'?: additional properties 'replica' not allowed/],
    ['controller.replicas=0', /\/controller\/replicas'?: minimum: got 0, want 1/],
    ['image=prunesweep:0.1.0', /\/image'?: got string, want object/],
    ['imagePullSecrets[0]=mine', /\/imagePullSecrets\/0'?: got string, want object/],
    ['gpuPods.nodeselector.a=b', /\/gpuPods'?: additional properties 'nodeselector' not allowed/],
    ['monitoring=yes', /\/monitoring'?: got string, want boolean/],
    ['replicas=3', /additional properties 'replicas' not allowed/],
  ];
  it.each(refused)('refuses %s, and names the field', async (value, says) => {
    const { code, stderr } = await template('--set', value);
    expect(code).toBe(1);
    expect(stderr).toMatch(says);
  });
});

/** Arguments of helm. */
const setting = (values: Record<string, string>): string[] =>
  Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);

/** What is another in each object, as lines `OBJECT: path: value`; of a new one its name. */
function changesOf(before: Map<string, unknown>, after: Map<string, unknown>): string[] {
  return [...after].flatMap(([name, object]) => {
    if (!before.has(name)) return [name];
    const known = new Set(leaves(before.get(name)));
    return leaves(object)
      .filter((leaf) => !known.has(leaf))
      .map((leaf) => `${name}: ${leaf}`);
  });
}

function leaves(value: unknown, path = ''): string[] {
  if (value === null || typeof value !== 'object') return [`${path.slice(1)}: ${value}`];
  return Object.entries(value).flatMap(([name, part]) => leaves(part, `${path}.${name}`));
}

describe.runIf(isHere)(`a release of the chart${why}`, () => {
  let plane: ControlPlane;
  const teams = ['team-a', 'team-b'];

  async function done(program: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> {
    const { code, stdout, stderr } = await program;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }
  const kubectl = (...args: string[]) => done(plane.kubectl(args));
  const inTeam = (team: string, command: string, ...args: string[]) =>
    done(helm(command, 'prunesweep', ...args, '--namespace', team, '--kubeconfig', plane.kubeconfig));
  const namesIn = async (team: string) =>
    (await kubectl('get', KINDS, '--namespace', team, '--output', 'name')).trim().split('\n').filter(Boolean);
  const KINDS = 'statefulset,deployment,service,configmap,secret,serviceaccount,role,rolebinding,networkpolicy,pvc';

  beforeAll(async () => {
    plane = await ControlPlane.start({ kwok: 1 });
  });
  afterAll(() => plane?.stop());

  it('is installed in two namespaces side by side, upgraded, and leaves what a cluster has one of, and the ledger', async () => {
    for (const team of teams) {
      await kubectl('create', 'namespace', team);
      await kubectl('label', 'namespace', team, 'pod-security.kubernetes.io/enforce=restricted');
      // What a namespace has from its beginning.
      await expect.poll(() => namesIn(team)).toHaveLength(2);
      expect(await inTeam(team, 'install', CHART)).toContain('kubectl --namespace');
    }
    const ready = () => kubectl('get', 'pods', '-A', '-o', 'jsonpath={.items[*].status.phase}');
    await expect.poll(async () => (await ready()).split(' ').length, { timeout: 60_000 }).toBe(6);
    await inTeam(teams[0]!, 'upgrade', CHART, '--set', 'controller.replicas=2');
    const replicas = (team: string) =>
      kubectl('get', 'deployment/prunesweep-controller', '-n', team, '-o', 'jsonpath={.spec.replicas}');
    expect(await Promise.all(teams.map(replicas))).toEqual(['2', '1']);
    for (const team of teams) {
      await inTeam(team, 'uninstall', '--wait');
      const left = ['configmap/kube-root-ca.crt', 'serviceaccount/default', 'persistentvolumeclaim/data-nats-0'];
      await expect.poll(async () => (await namesIn(team)).sort(), { timeout: 30_000 }).toEqual(left.sort());
    }
    expect(await kubectl('get', 'crd,validatingadmissionpolicy', '-o', 'name')).toMatch(
      /prunesweeps.*prunesweep-grid/s,
    );
  });
});
