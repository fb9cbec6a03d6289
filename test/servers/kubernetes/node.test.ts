import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../process';
import { writeImage } from './image';
import { hasNode, RealCluster, whyNoRealCluster } from './index';
import { NODE_ADDRESS } from './namespaces';
import { NODE } from './realcluster';
import { machine, tracesOf } from './traces';

const NAMESPACE = 'trials';
const NODE_IMAGE = 'prunesweep.dev/test/node:1';
const PATIENT = { timeout: 120_000, interval: 100 };

/** An archive of this run's Node.js, with the libraries that it is linked to. */
async function writeNodeImage(archive: string): Promise<void> {
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  const files = Object.fromEntries([...libraries].map(([, path]) => [path!, path!]));
  const image = { name: NODE_IMAGE, files: { ...files, '/node': process.execPath }, entrypoint: ['/node', '-e'] };
  await writeImage(archive, image);
}

/** A pod's specification as the Pod Security Standard `restricted` wants it: it runs a script in Node.js. */
const specOf = (script: string, container: object = {}, pod: object = {}) => ({
  restartPolicy: 'Never',
  terminationGracePeriodSeconds: 1,
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    {
      name: 'main',
      image: NODE_IMAGE,
      imagePullPolicy: 'Never',
      args: [script],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      ...container,
    },
  ],
  ...pod,
});

const podOf = (name: string, spec: object, labels = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec,
});

const serviceOf = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...more },
});

const LISTEN = `require('http').createServer((_, answer) => answer.end(process.env.HOSTNAME)).listen(8080)`;
const FOREVER = 'setInterval(() => {}, 1e6)';
const READY = { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } };

async function kubectl(cluster: RealCluster, args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(['--namespace', NAMESPACE, ...args], { stdin });
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

const apply = (cluster: RealCluster, ...items: object[]) =>
  kubectl(cluster, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));

async function statusOf(cluster: RealCluster, pod: string) {
  const { status } = JSON.parse(await kubectl(cluster, ['get', 'pod', pod, '-o', 'json']));
  return { phase: status.phase as string, container: status.containerStatuses?.[0] };
}

const untilPhase = (cluster: RealCluster, pod: string, phase: string) =>
  expect.poll(async () => (await statusOf(cluster, pod)).phase, PATIENT).toBe(phase);

/** What a pod wrote that ran to its end. */
async function outputOf(cluster: RealCluster, pod: string): Promise<string> {
  await expect.poll(async () => (await statusOf(cluster, pod)).phase, PATIENT).toMatch(/Succeeded|Failed/);
  return kubectl(cluster, ['logs', pod]);
}

async function begin(archive: string): Promise<RealCluster> {
  const cluster = await RealCluster.start({ images: [archive], users: { ada: [] } });
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await apply(cluster, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } });
  // Until its controller has made it, no pod is accepted.
  await kubectl(cluster, ['wait', '--for=create', 'serviceaccount/default', '--timeout=60s']);
  return cluster;
}

describe.runIf(hasNode)(`a Kubernetes with a real node${whyNoRealCluster}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-test-'));
  const archive = join(folder, 'node.tar');
  let cluster: RealCluster;

  beforeAll(async () => {
    await writeNodeImage(archive);
    cluster = await begin(archive);
  });
  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true });
  });

  it('runs a restricted pod to completion, keeps what it said, and refuses one that wants more', async () => {
    const says = `console.log(process.getuid(), require('fs').readFileSync('/proc/self/status', 'utf8'))
      try { require('fs').writeFileSync('/x', '') } catch ({ code }) { console.log(code) }`;
    await apply(cluster, podOf('says', specOf(says)));
    const output = await outputOf(cluster, 'says');
    expect(output).toMatch(/^65532 /);
    for (const line of [/^CapEff:\t0+$/m, /^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^EROFS$/m])
      expect(output).toMatch(line);
    const privileged = specOf(says, { securityContext: { privileged: true } });
    const { code, stderr } = await cluster.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], {
      stdin: JSON.stringify(podOf('wants-more', privileged)),
    });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/violates PodSecurity "restricted/);
  });

  it('finds Services by name: from a pod, from a command in its network, and from this machine by a forwarded port', async () => {
    const names = ['first', 'second'];
    const pods = names.map((hostname) =>
      podOf(hostname, specOf(LISTEN, READY, { hostname, subdomain: 'web-headless' }), { app: 'web' }),
    );
    const headless = serviceOf('web-headless', { clusterIP: 'None', selector: { app: 'web' } });
    await apply(cluster, ...pods, serviceOf('web'), headless, serviceOf('nobody'));
    await kubectl(cluster, ['wait', '--for=condition=Ready', ...names.map((name) => `pod/${name}`), '--timeout=60s']);
    const asks = `(async () => {
      const { lookup } = require('dns/promises')
      for (const url of ['http://web', 'http://web.${NAMESPACE}.svc.cluster.local', 'http://second.web-headless:8080'])
        console.log(url, await (await fetch(url)).text())
      console.log('headless', (await lookup('web-headless', { all: true })).length)
      for (const url of ['http://nobody', 'http://no-such-name', 'http://example.com'])
        console.log(url, await fetch(url).catch(({ cause }) => cause.code))
      const trusting = { rejectUnauthorized: false }
      require('https').get('https://kubernetes.default/version', trusting, ({ statusCode }) => {
        console.log('api', statusCode); process.exit() })
    })()`;
    // A Service answers some moments after its pods are ready.
    const forwarded = await cluster.forward(`web.${NAMESPACE}.svc.cluster.local`, 80);
    const fromHere = async () => (await fetch(`http://127.0.0.1:${forwarded}`)).text();
    await expect.poll(() => fromHere().catch(() => ''), PATIENT).toMatch(/^(first|second)$/);

    await apply(cluster, podOf('asks', specOf(asks)));
    const lines = (await outputOf(cluster, 'asks')).split('\n');
    expect(lines).toEqual([
      expect.stringMatching(/^http:\/\/web (first|second)$/),
      expect.stringMatching(/ (first|second)$/),
      'http://second.web-headless:8080 second',
      'headless 2',
      'http://nobody ECONNREFUSED',
      'http://no-such-name ENOTFOUND',
      'http://example.com ENOTFOUND',
      'api 200',
    ]);
    const fetches = `fetch('http://web.${NAMESPACE}').then((answer) => answer.text()).then(console.log)`;
    const { code, stdout } = await cluster.exec(process.execPath, ['-e', fetches]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^(first|second)\n$/) });
  });

  it('lets pods reach what a command in its network listens on', async () => {
    const listens = `const server = require('http').createServer((_, answer) => {
      answer.end('from outside'); setTimeout(() => process.exit(), 100) }).listen(8099, '${NODE_ADDRESS}')`;
    const listening = cluster.exec(process.execPath, ['-e', listens]);
    const asks = `(async () => { for (;;) try {
      console.log(await (await fetch('http://${NODE_ADDRESS}:8099')).text()); break } catch {} })()`;
    await apply(cluster, podOf('asks-outside', specOf(asks)));
    expect(await outputOf(cluster, 'asks-outside')).toBe('from outside');
    expect(await listening).toMatchObject({ code: 0 });
  });

  it("keeps a StatefulSet's volume when its pod is deleted", async () => {
    const counts = `const fs = require('fs')
      fs.appendFileSync('/data/starts', process.env.HOSTNAME + '\\n')
      console.log(fs.readFileSync('/data/starts', 'utf8'))
      ${FOREVER}`;
    const volumeMounts = [{ name: 'data', mountPath: '/data' }];
    const spec = specOf(counts, { volumeMounts });
    const fsGroup = { ...spec.securityContext, fsGroup: 65532 };
    await apply(cluster, {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'keeps' },
      spec: {
        serviceName: 'keeps',
        selector: { matchLabels: { app: 'keeps' } },
        template: {
          metadata: { labels: { app: 'keeps' } },
          spec: { ...spec, securityContext: fsGroup, restartPolicy: 'Always' },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
          },
        ],
      },
    });
    const log = async () => (await cluster.kubectl(['-n', NAMESPACE, 'logs', 'keeps-0'])).stdout.trim();
    await expect.poll(log, PATIENT).toBe('keeps-0');
    await kubectl(cluster, ['delete', 'pod', 'keeps-0']);
    await expect.poll(log, PATIENT).toBe('keeps-0\nkeeps-0');
  });

  it('kills a pod over its memory limit, and says so', async () => {
    const hoards = 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))';
    await apply(cluster, podOf('hoards', specOf(hoards, { resources: { limits: { memory: '128Mi' } } })));
    await untilPhase(cluster, 'hoards', 'Failed');
    const { container } = await statusOf(cluster, 'hoards');
    expect(container.state.terminated).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  it('restarts a container that was killed, or fails its pod, as the pod and its Job say', async () => {
    const onFailure = specOf(FOREVER, {}, { restartPolicy: 'OnFailure' });
    const annotation = "metadata.annotations['batch.kubernetes.io/job-index-failure-count']";
    const env = [{ name: 'FAILURES', valueFrom: { fieldRef: { fieldPath: annotation } } }];
    const onceMore = specOf(`if (process.env.FAILURES === '0') ${FOREVER}`, { env });
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'retried' },
      spec: { completionMode: 'Indexed', completions: 1, backoffLimitPerIndex: 1, template: { spec: onceMore } },
    };
    await apply(cluster, podOf('restarted', onFailure), job);
    await kubectl(cluster, ['wait', '--for=create', 'pod', '-l', 'job-name=retried', '--timeout=60s']);
    const first = await kubectl(cluster, [
      'get',
      'pods',
      '-l',
      'job-name=retried',
      '-o',
      'jsonpath={.items[0].metadata.name}',
    ]);
    for (const pod of ['restarted', first]) {
      await untilPhase(cluster, pod, 'Running');
      await cluster.killContainer((await statusOf(cluster, pod)).container.containerID);
    }
    await expect
      .poll(async () => (await statusOf(cluster, 'restarted')).container, PATIENT)
      .toMatchObject({
        restartCount: 1,
        state: { running: {} },
        lastState: { terminated: { exitCode: 137 } },
      });
    await untilPhase(cluster, first, 'Failed');
    expect((await statusOf(cluster, first)).container.state.terminated).toMatchObject({
      exitCode: 137,
      reason: 'Error',
    });
    await kubectl(cluster, ['wait', '--for=condition=Complete', 'job/retried', '--timeout=120s']);
  });

  it('goes on with its pods when kubelet, containerd or kube-proxy was killed and begun again', async () => {
    await apply(cluster, podOf('before', specOf(FOREVER)));
    await untilPhase(cluster, 'before', 'Running');
    const { container } = await statusOf(cluster, 'before');
    for (const part of ['kubelet', 'containerd', 'kube-proxy'] as const) {
      const { [part]: pid } = cluster.pids;
      await cluster.kill(part);
      expect(cluster.pids[part]).toBeUndefined();
      expect(isAlive(pid!)).toBe(false);
      await apply(cluster, podOf(`after-${part}`, specOf('console.log("ran")')));
      cluster.begin(part);
      expect(await outputOf(cluster, `after-${part}`)).toBe('ran');
    }
    expect((await statusOf(cluster, 'before')).container).toMatchObject({
      containerID: container.containerID,
      ready: true,
    });
  });

  it('goes on where it was when kubelet hung', async () => {
    cluster.pause('kubelet');
    await apply(cluster, podOf('waits', specOf('console.log("ran")')));
    await kubectl(cluster, ['wait', '--for=condition=PodScheduled', 'pod/waits', '--timeout=60s']);
    expect((await statusOf(cluster, 'waits')).phase).toBe('Pending');
    cluster.resume('kubelet');
    expect(await outputOf(cluster, 'waits')).toBe('ran');
  });

  it('is not disturbed by another, and leaves nothing of itself, though its pods run', async () => {
    const before = machine();
    const other = await begin(archive);
    onTestFinished(() => other.stop());
    await apply(other, podOf('alone', specOf(FOREVER)));
    await untilPhase(other, 'alone', 'Running');
    expect((await cluster.kubectl(['-n', NAMESPACE, 'get', 'pod', 'alone'])).stderr).toMatch(/NotFound/);
    const traces = tracesOf(other.folder, other.pids.containerd!);
    expect(traces().length).toBeGreaterThan(8);
    await other.stop();
    expect(traces()).toEqual([]);
    expect(machine()).toEqual(before);
    expect((await cluster.kubectl(['get', 'nodes', '-o', 'name'])).stdout.trim()).toBe(`node/${NODE}`);
  });
});
