import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ApiProxy, type Call } from '../../faults/operator/apiproxy';
import { hasKubernetes, whyNoKubernetes } from '../../servers/kubernetes';
import { hasNats, whyNoNats } from '../../servers/nats';
import { NAMESPACE, PATIENT, TestCluster } from './cluster';

const MANIFEST = join(__dirname, '..', '..', '..', 'k8s', 'base', 'controller.yaml');
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:prunesweep-controller`;
const SPEC = { hiddenWidths: [[5]], pruneRatios: [0, 0.5], seeds: 2, parallelism: 2 };

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** `VERB RESOURCE.GROUP/SUBRESOURCE`, sorted. */
function granted(): string[] {
  const documents = parseAllDocuments(readFileSync(MANIFEST, 'utf8')).map((one) => one.toJS());
  const roles = documents.filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
  expect(roles.map(({ kind }) => kind)).toEqual(['Role']);
  const rules: Rule[] = roles[0].rules;
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((name) => verbs.map((verb) => rightOf(verb, group, name)))),
  );
  return rights.sort();
}

function rightOf(verb: string, group: string, nameAndSub: string): string {
  const [resource, subresource] = nameAndSub.split('/');
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
}

const phaseIs = (cluster: TestCluster, name: string) => async () => (await cluster.sweep(name)).status?.state;

describe.runIf(hasKubernetes && hasNats)(`the controller's rights${whyNoKubernetes}${whyNoNats}`, () => {
  it('are what it uses in the life of sweeps: none is missing, none is more than that, none is elsewhere', async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    cluster.behave = async () => undefined;
    const proxy = await ApiProxy.start(cluster.controllerKubeconfig);
    onTestFinished(() => proxy.stop());
    const first = cluster.startController([], proxy.kubeconfig);
    // The answer to the creation of the Job is lost, and no watch tells of it yet: it is created again, and looked at.
    const isCreation = ({ method, path }: Call) => method === 'POST' && path.includes('/jobs');
    const isFirst = () => proxy.calls.filter(isCreation).length === 1;
    proxy.before = async (call) => {
      if (isCreation(call)) proxy.stallWatches(isFirst());
      return true;
    };
    proxy.after = async (call) => !(isCreation(call) && isFirst());

    await cluster.apply({ ...SPEC, recordRetention: 'Delete' });
    await expect.poll(phaseIs(cluster, 'test'), PATIENT).toBe('Running');
    await cluster.kubectl('scale', 'psw/test', '--replicas=1');
    await cluster.kubectl('patch', 'psw', 'test', '--type=merge', '-p', '{"spec":{"suspend":true}}');
    await cluster.until('Suspended');
    cluster.behave = (pod) => cluster.train(pod);
    await cluster.apply({ ...SPEC, recordRetention: 'Delete', hiddenWidths: [[5], [6]], suspend: false });
    await cluster.until('Complete');
    await expect.poll(async () => (await cluster.jobs()).length, PATIENT).toBe(1);
    await cluster.kubectl('delete', 'psw', 'test', '--timeout=60s');

    cluster.behave = async () => ({ exitCode: 65 });
    await cluster.apply({ ...SPEC, seeds: [7] }, 'fails');
    await cluster.until('Failed', 'fails');
    await first.end();

    // As its Deployment starts it: the pods that train are of the image of its own pod.
    const pod = {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'own', namespace: NAMESPACE } },
      spec: {
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            ...{ name: 'controller', image: 'prunesweep:own' },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    };
    const created = await cluster.plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(pod) });
    expect(created.stderr).toBe('');
    cluster.behave = async () => undefined;
    cluster.startController([], undefined, { POD_NAME: 'own' }, []);
    await cluster.apply({ ...SPEC, seeds: [8] }, 'own');
    await expect.poll(phaseIs(cluster, 'own'), PATIENT).toBe('Running');
    const [job] = await cluster.jobs('own');
    expect(job!.spec!.template.spec!.containers[0]!.image).toBe('prunesweep:own');

    const asked = cluster.plane.auditEvents().filter(({ user, resource }) => user === ACCOUNT && resource);
    expect(asked.filter(({ code }) => code === 403)).toEqual([]);
    expect([...new Set(asked.map(({ namespace }) => namespace))]).toEqual([NAMESPACE]);
    const used = asked.map(({ verb, group, resource, subresource }) =>
      rightOf(verb, group ?? '', subresource === undefined ? resource! : `${resource}/${subresource}`),
    );
    expect([...new Set(used)].sort()).toEqual(granted());
  });

  it('end at its namespace, and are none to Secrets, to run pods or to enter them', async () => {
    const cluster = await TestCluster.start({ controllers: false, kwok: 0 });
    const can = async (verb: string, what: string, ...rest: string[]) => {
      // What comes behind a slash is a name to kubectl, here it is a subresource.
      const [resource, subresource] = what.split('/') as [string, string?];
      const question = [verb, resource, ...(subresource === undefined ? [] : ['--subresource', subresource]), ...rest];
      const { stdout } = await cluster.plane.kubectl(['auth', 'can-i', ...question], {
        kubeconfig: cluster.controllerKubeconfig,
      });
      return stdout.trim();
    };
    const here = ['--namespace', NAMESPACE];
    expect(await can('create', 'jobs.batch', ...here)).toBe('yes');
    for (const [verb, resource] of [
      ['get', 'secrets'],
      ['list', 'secrets'],
      ['create', 'pods'],
      ['delete', 'pods'],
      ['create', 'pods/exec'],
      ['get', 'pods/exec'],
      ['create', 'pods/attach'],
      ['create', 'serviceaccounts/token'],
      ['create', 'rolebindings.rbac.authorization.k8s.io'],
      ['update', 'prunesweeps.prunesweep.dev'],
      ['delete', 'prunesweeps.prunesweep.dev'],
    ] as const)
      expect(await can(verb, resource, ...here), `${verb} ${resource}`).toBe('no');
    for (const [lease, answer] of [
      ['prunesweep-controller', 'yes'],
      ['another', 'no'],
    ] as const) {
      const asked = ['auth', 'can-i', 'update', `leases.coordination.k8s.io/${lease}`, ...here];
      const { stdout } = await cluster.plane.kubectl(asked, { kubeconfig: cluster.controllerKubeconfig });
      expect(stdout.trim(), lease).toBe(answer);
    }
    for (const right of granted()) {
      const [verb, resource] = right.split(' ') as [string, string];
      expect(await can(verb, resource, '--namespace', 'default'), `${right} in default`).toBe('no');
      expect(await can(verb, resource, '--all-namespaces'), `${right} everywhere`).toBe('no');
    }
    // What every account may ask: who it is and what it may, and what the API server is.
    const list = await cluster.plane.kubectl(['auth', 'can-i', '--list', '--namespace', 'default'], {
      kubeconfig: cluster.controllerKubeconfig,
    });
    const resources = list.stdout
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s{2,}/)[0]!)
      .filter((resource) => resource !== '');
    expect(resources.filter((resource) => !/^self\w+\.auth(entication|orization)\.k8s\.io$/.test(resource))).toEqual(
      [],
    );
  });
});
