import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../idxfiles';
import { isAlive } from '../process';
import type { ControlPlaneOptions } from './controlplane';
import { ControlPlane, hasKubernetes, whyNoKubernetes } from './index';

async function start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const plane = await ControlPlane.start(options);
  onTestFinished(() => plane.stop());
  return plane;
}

/** What kubectl says, of a command that must succeed. */
async function kubectl(plane: ControlPlane, args: string[], stdin?: object): Promise<string> {
  const input = stdin === undefined ? {} : { stdin: JSON.stringify(stdin) };
  const { code, stdout, stderr } = await plane.kubectl(args, input);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

const apply = (plane: ControlPlane, ...items: object[]) =>
  kubectl(plane, ['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { of: name } });

const template = (annotations: Record<string, string>) => ({
  metadata: { annotations },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'fake' }] },
});

const indexedJob = (name: string, completions: number, annotations: Record<string, string>) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: {
    completionMode: 'Indexed',
    completions,
    parallelism: completions,
    backoffLimitPerIndex: 0,
    template: template(annotations),
  },
});

const pod = (name: string, annotations: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  ...template(annotations),
  metadata: { name, annotations },
});

describe.runIf(hasKubernetes)(`a Kubernetes control plane${whyNoKubernetes}`, () => {
  it('runs an Indexed Job of 20 indexes to its end, one of them failing as its annotation says', async () => {
    const plane = await start({ kwok: 2 });
    await apply(plane, indexedJob('twenty', 20, { 'prunesweep.dev/test-exit-7': '137' }));
    await kubectl(plane, ['wait', '--for=condition=Failed', 'job/twenty', '--timeout=60s']);
    const { status } = JSON.parse(await kubectl(plane, ['get', 'job', 'twenty', '-o', 'json']));
    expect(status).toMatchObject({ succeeded: 19, failed: 1, failedIndexes: '7', completedIndexes: '0-6,8-19' });
    const failed = await kubectl(plane, ['get', 'pods', '--field-selector=status.phase=Failed', '-o', 'json']);
    expect(JSON.parse(failed).items).toMatchObject([
      { status: { containerStatuses: [{ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }] } },
    ]);
  });

  it('runs a pod until it is deleted, or for as long as its annotation says', async () => {
    const plane = await start({ kwok: 1 });
    await apply(plane, pod('endless'), pod('brief', { 'prunesweep.dev/test-duration': '1500ms' }));
    const phase = (name: string, wanted: string) =>
      kubectl(plane, ['wait', `--for=jsonpath={.status.phase}=${wanted}`, `pod/${name}`, '--timeout=30s']);
    await phase('brief', 'Running');
    await phase('brief', 'Succeeded');
    await phase('endless', 'Running');
    await kubectl(plane, ['delete', 'pod', 'endless', '--timeout=10s']);
  });

  it('has what it had when its API server, or its etcd, was killed and begun again', async () => {
    const plane = await start({ controllers: false });
    await apply(plane, configMap('kept'));
    for (const part of ['kube-apiserver', 'etcd'] as const) {
      const before = plane.pids[part];
      await plane.kill(part);
      expect(plane.pids[part]).toBeUndefined();
      await plane.begin(part);
      expect(plane.pids[part]).not.toBe(before);
      expect(await kubectl(plane, ['get', 'configmap', 'kept', '-o', 'jsonpath={.data.of}'])).toBe('kept');
    }
  });

  it('answers nothing while its API server hangs, and goes on afterwards', async () => {
    const plane = await start({ controllers: false });
    plane.pause('kube-apiserver');
    expect(await plane.kubectl(['get', 'namespaces', '--request-timeout=1s'])).not.toMatchObject({ code: 0 });
    plane.resume('kube-apiserver');
    expect(await kubectl(plane, ['get', 'namespaces', '-o', 'name'])).toContain('namespace/default');
  });

  it('is not disturbed by another', async () => {
    const [one, other] = await Promise.all([start({ controllers: false }), start({ controllers: false })]);
    await apply(one, configMap('one'));
    await apply(other, configMap('other'));
    await one.stop();
    const names = await kubectl(other, [
      'get',
      'configmaps',
      '-o',
      'name',
      '--field-selector=metadata.name!=kube-root-ca.crt',
    ]);
    expect(names).toBe('configmap/other');
  });

  it('knows users and service accounts for who they are, refuses what they may not, and logs what was asked', async () => {
    const plane = await start({ auditLog: true, users: { ada: ['readers'] } });
    await kubectl(plane, ['create', 'clusterrolebinding', 'readers', '--clusterrole=view', '--group=readers']);
    const ada = { kubeconfig: plane.userKubeconfig('ada') };
    expect(await plane.kubectl(['get', 'pods'], ada)).toMatchObject({ code: 0 });
    const refused = await plane.kubectl(['create', 'configmap', 'hers'], ada);
    expect(refused.stderr).toContain('User "ada" cannot create resource "configmaps"');
    const account = { kubeconfig: await plane.serviceAccountKubeconfig('default', 'default') };
    const { stderr } = await plane.kubectl(['get', 'pods'], account);
    expect(stderr).toContain('User "system:serviceaccount:default:default" cannot list resource "pods"');
    expect(plane.auditEvents().filter(({ user, resource }) => user === 'ada' && resource !== undefined)).toEqual([
      expect.objectContaining({ verb: 'list', resource: 'pods', namespace: 'default', code: 200 }),
      expect.objectContaining({ verb: 'create', resource: 'configmaps', namespace: 'default', code: 403 }),
    ]);
  });

  it('refuses a pod that is not restricted in a namespace that asks for it', async () => {
    const plane = await start();
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await apply(plane, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels } });
    const { stderr } = await plane.kubectl(['create', '--namespace', 'strict', '-f', '-'], {
      stdin: JSON.stringify(pod('loose')),
    });
    expect(stderr).toContain('violates PodSecurity "restricted:latest"');
  });

  it('comes with a kubectl that applies a kustomization', async () => {
    const plane = await start({ controllers: false });
    const folder = temporaryFolder();
    const save = (name: string, document: object) => writeFileSync(join(folder, name), JSON.stringify(document));
    mkdirSync(join(folder, 'base'));
    save('base/map.json', configMap('map'));
    save('base/kustomization.yaml', { resources: ['map.json'] });
    save('kustomization.yaml', { resources: ['base'], namePrefix: 'overlaid-' });
    expect(await kubectl(plane, ['apply', '-k', folder])).toBe('configmap/overlaid-map created');
  });

  it('leaves no process and no file when it is stopped, paused parts and killed ones too', async () => {
    const plane = await start({ kwok: 1 });
    const pids = Object.values(plane.pids);
    expect(pids).toHaveLength(5);
    expect(pids.filter(isAlive)).toEqual(pids);
    plane.pause('etcd');
    await plane.kill('kube-scheduler');
    await plane.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(plane.folder)).toBe(false);
  });
});
