/** The overlays as a cluster takes them: a real API server, its admission, and the real command line for the args. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMapOf, jobOf } from '../../controller/kubernetes/manifests';
import type { ConfigMap, Job } from '../../controller/kubernetes/resource';
import { PODS, planOfSweep, sweepOf } from '../controller/kubernetes/sweeps';
import { temporaryFolder } from '../idxfiles';
import { ControlPlane, hasKubernetes, whyNoKubernetes } from '../servers/kubernetes';
import {
  type Manifest,
  NAMESPACE,
  OVERLAY_NAMES,
  OVERLAYS,
  type OverlayName,
  render,
  type Workload,
  workloads,
} from './overlays';

const CLI = resolve(__dirname, '../../dist/cli.js');
const OF_THE_CLUSTER = [
  'CustomResourceDefinition',
  'Namespace',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
];
/** Kinds of add-ons whose definitions no test cluster has. */
const OF_ADD_ONS: Record<OverlayName, string[]> = {
  quickstart: [],
  production: ['PodMonitor', 'PrometheusRule', 'ServiceMonitor'],
  kueue: ['ClusterQueue', 'LocalQueue', 'ResourceFlavor'],
  gpu: [],
};

let plane: ControlPlane;

async function kubectl(args: readonly string[], stdin: object | string = ''): Promise<string> {
  const text = typeof stdin === 'string' ? stdin : JSON.stringify(stdin);
  const { code, stdout, stderr } = await plane.kubectl(args, { stdin: text });
  // A warning is what an administrator reads, and so none is wanted.
  expect({ code, stderr }, `kubectl ${args.join(' ')}`).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const workload = async (overlay: OverlayName, name: string): Promise<Workload> =>
  workloads(await render(overlay)).find(({ metadata }) => metadata.name === name)!;

/** What the server says of a pod of this workload; it keeps nothing. */
function tryPod({ spec: { template, volumeClaimTemplates = [] } }: Workload): Promise<string> {
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    ...{ name, persistentVolumeClaim: { claimName: name } },
  }));
  const spec = { ...template.spec, volumes: [...template.spec.volumes!, ...claims] };
  return kubectl(['create', '--dry-run=server', '-n', NAMESPACE, '-f', '-'], {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...template.metadata, name: 'tried' }, spec },
  });
}

/** A sweep's Job and its ConfigMap, as the controller makes them. */
function madeFor(accelerator: string, hasAuthority: boolean): { job: Job; configMap: ConfigMap } {
  const sweep = sweepOf({ template: { accelerator } }, { namespace: NAMESPACE });
  const plan = planOfSweep(sweep);
  const [stage] = plan.stages;
  return { job: jobOf(sweep, plan, stage!, 2, { ...PODS, hasAuthority }), configMap: configMapOf(sweep, plan, stage!) };
}

beforeAll(async () => {
  if (!hasKubernetes) return;
  plane = await ControlPlane.start();
  await kubectl(['apply', '-k', join(OVERLAYS, 'quickstart')]);
  // Pods without a service account of their own need it; a controller makes it.
  await kubectl(['wait', '--for=create', 'serviceaccount/default', '-n', NAMESPACE, '--timeout=30s']);
});
afterAll(() => plane?.stop());

describe.runIf(hasKubernetes)(`the overlay quickstart${whyNoKubernetes}`, () => {
  it('changes nothing when it is applied again', async () => {
    const said = (await kubectl(['apply', '-k', join(OVERLAYS, 'quickstart')])).trim().split('\n');
    expect(said).toHaveLength((await render('quickstart')).length);
    // `configured` is what kubectl says too where the server has filled in a default of a list; whether anything would
    // be another, the diff says, with 1 then.
    expect(said.filter((line) => !/ (unchanged|configured)$/.test(line))).toEqual([]);
    expect(await kubectl(['diff', '-k', join(OVERLAYS, 'quickstart')])).toBe('');
  });

  it('has its pods made, with nothing but restricted pods allowed', async () => {
    const names = async () => {
      const list = await kubectl(['get', 'pods', '-n', NAMESPACE, '-o', 'jsonpath={.items[*].metadata.labels}']);
      return [...new Set(list.match(/"app\.kubernetes\.io\/name":"[^"]+"/g) ?? [])].length;
    };
    await expect.poll(names, { timeout: 30_000 }).toBe(3);
    const loose = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'loose' } };
    const { stderr } = await plane.kubectl(['create', '--dry-run=server', '-n', NAMESPACE, '-f', '-'], {
      stdin: JSON.stringify({ ...loose, spec: { containers: [{ name: 'main', image: 'any' }] } }),
    });
    expect(stderr).toContain('violates PodSecurity "restricted:latest"');
  });

  it('gives trainers a Secret by the name that the controller tells them', async () => {
    const url = await kubectl(['get', 'secret', PODS.natsSecret, '-n', NAMESPACE, '-o', 'jsonpath={.data.url}']);
    expect(Buffer.from(url, 'base64').toString()).toBe('nats://nats:4222');
    await kubectl(['get', 'serviceaccount', PODS.serviceAccount, '-n', NAMESPACE]);
  });
});

for (const overlay of OVERLAY_NAMES)
  describe.runIf(hasKubernetes)(`the overlay ${overlay}${whyNoKubernetes}`, () => {
    it('lies in one namespace, but for what a cluster has one of', async () => {
      const ofTheCluster = await kubectl(['api-resources', '--namespaced=false', '--no-headers']);
      const isOfTheCluster = ({ kind }: Manifest) =>
        new RegExp(`\\s${kind}$`, 'm').test(ofTheCluster) || OF_ADD_ONS[overlay].includes(kind!);
      const manifests = await render(overlay);
      const kinds = manifests.filter(isOfTheCluster).map(({ kind }) => kind!);
      expect(kinds.filter((kind) => !OF_ADD_ONS[overlay].includes(kind)).sort()).toEqual(OF_THE_CLUSTER);
      const rest = manifests.filter((manifest) => !isOfTheCluster(manifest));
      expect(new Set(rest.map(({ metadata }) => metadata.namespace))).toEqual(new Set([NAMESPACE]));
    });

    const unknown = OF_ADD_ONS[overlay];
    it(`is taken by the server${unknown.length === 0 ? '' : `; not checked: ${unknown.join(', ')}`}`, async () => {
      const kinds = await kubectl(['api-resources', '--no-headers']);
      const isKnown = ({ kind }: Manifest) => new RegExp(`\\s${kind}$`, 'm').test(kinds);
      const manifests = await render(overlay);
      const left = manifests.filter((manifest) => !isKnown(manifest)).map(({ kind }) => kind!);
      expect(left.sort()).toEqual(unknown);
      const items = manifests.filter(isKnown);
      // Over the quickstart, as who outgrows it does.
      const said = await kubectl(['apply', '--dry-run=server', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
      expect(said.trim().split('\n')).toHaveLength(items.length);
    });

    it('has workloads whose pods are admitted there', async () => {
      const all = workloads(await render(overlay));
      expect(all.map(({ metadata }) => metadata.name)).toEqual([
        'prunesweep-aggregator',
        'prunesweep-controller',
        'nats',
      ]);
      for (const one of all) expect(await tryPod(one)).toContain('created (server dry run)');
    });

    it('has args that the command line takes', async () => {
      for (const name of ['prunesweep-aggregator', 'prunesweep-controller'])
        expect(await waitsForNats(await workload(overlay, name))).toContain('waiting for it');
    });
  });

describe.runIf(hasKubernetes)(`the overlay production${whyNoKubernetes}`, () => {
  it('takes who connects from Secrets alone, and has the volumes that it means', async () => {
    const of = async (name: string) => {
      const { containers, volumes } = (await workload('production', name)).spec.template.spec;
      const [container] = containers;
      for (const { value, valueFrom } of container!.env ?? []) expect([value, valueFrom]).toContain(undefined);
      for (const { name } of container!.volumeMounts!)
        expect([...volumes!.map((volume) => volume.name), 'data']).toContain(name);
      return { volumes, url: container!.env?.find(({ name }) => name === 'NATS_URL')?.valueFrom?.secretKeyRef };
    };
    const authority = { secretName: 'nats-tls', items: [{ key: 'ca.crt', path: 'ca.crt' }] };
    expect(await of('prunesweep-aggregator')).toEqual({
      url: { name: 'nats-users', key: 'AGGREGATOR_URL' },
      volumes: expect.arrayContaining([
        { name: 'store', persistentVolumeClaim: { claimName: 'prunesweep-store' } },
        { name: 'tmp', emptyDir: {} },
        { name: 'tls', secret: authority },
      ]),
    });
    expect(await of('prunesweep-controller')).toEqual({
      url: { name: 'nats-users', key: 'CONTROLLER_URL' },
      volumes: expect.arrayContaining([
        { name: 'tmp', emptyDir: {} },
        { name: 'tls', secret: authority },
      ]),
    });
    expect((await of('nats')).volumes).toEqual(
      expect.arrayContaining([
        { name: 'config', configMap: { name: expect.stringMatching(/^nats-/) } },
        // For its user's group, as another user than root reads it.
        { name: 'tls', secret: { secretName: 'nats-tls', defaultMode: 0o440 } },
      ]),
    );
  });

  it('leaves the Secret of the trainers, which has a password, to who installs it', async () => {
    const secrets = (await render('production')).filter(({ kind }) => kind === 'Secret');
    expect(secrets).toEqual([]);
  });
});

describe.runIf(hasKubernetes)(`the pod of a sweep${whyNoKubernetes}`, () => {
  for (const accelerator of ['cpu', 'gpu'])
    for (const hasAuthority of [false, true]) {
      const kind = `for ${accelerator}, ${hasAuthority ? 'with' : 'without'} the authority of NATS`;
      it(`${kind} is admitted, and so is its Job`, async () => {
        const { job, configMap } = madeFor(accelerator, hasAuthority);
        for (const object of [job, configMap])
          await kubectl(['create', '--dry-run=server', '-n', NAMESPACE, '-f', '-'], object);
        expect(await tryPod(job as unknown as Workload)).toContain('created (server dry run)');
      });

      it(`${kind} has args that the command line takes`, async () => {
        const { job, configMap } = madeFor(accelerator, hasAuthority);
        const said = await waitsForNats(job as unknown as Workload, configMap.data);
        // There is no GPU here, nor what would use it.
        expect(said).toContain(accelerator === 'gpu' ? 'this pod has no GPU that works' : 'waiting for it');
      });
    }
});

/**
 * Starts what a pod's container starts, with NATS out of reach. What it mounts is put into a folder, and its paths in the
 * args follow.
 *
 * @returns what it says, until it waits for NATS or ends
 */
async function waitsForNats({ spec }: Workload, files: Record<string, string> = {}): Promise<string> {
  const folder = temporaryFolder();
  const [container] = spec.template.spec.containers;
  const mounts = container!.volumeMounts!.map(({ mountPath }) => mountPath);
  const args = container!.args!.map((arg) => (mounts.some((path) => arg.startsWith(path)) ? join(folder, arg) : arg));
  for (const arg of args.filter((path) => path.startsWith(folder))) {
    mkdirSync(dirname(arg), { recursive: true });
    const [name = ''] = Object.keys(files).filter((file) => arg.endsWith(file));
    if (/\.\w+$/.test(arg)) writeFileSync(arg, files[name] ?? '');
  }
  const env = {
    ...process.env,
    NATS_URL: 'nats://127.0.0.1:1',
    JOB_COMPLETION_INDEX: '0',
    KUBECONFIG: plane.kubeconfig,
  };
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise<void>((done) => {
    child.once('close', () => done());
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
      if (said.includes('waiting for it')) child.kill('SIGKILL');
    });
  });
  return said;
}
