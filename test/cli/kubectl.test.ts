/** `kubectl prunesweep`, called by a real kubectl, which finds it in PATH, against a real API server. */
import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startReader, untilState } from '../aggregator/line';
import { NAMESPACE, PATIENT, TestCluster } from '../controller/kubernetes/cluster';
import { temporaryFolder } from '../idxfiles';
import { hasKubernetes, kubernetesPrograms, whyNoKubernetes } from '../servers/kubernetes';
import { hasNats, whyNoNats } from '../servers/nats';

const CLI = resolve(__dirname, '../../dist/cli.js');
/** 12 trials in 4 packs. */
const SPEC = { hiddenWidths: [[5], [4, 3]], pruneRatios: [0, 0.5, 0.9], seeds: 2, parallelism: 3 };

/**
 * The API server passes nothing on to loopback, so that this file runs itself again in a network of its own, which has
 * another address; no other listens on it.
 */
const OWN_ADDRESS = '10.89.2.1';
const isInOwnNetwork = process.env.OWN_NETWORK === 'yes';
const OWN_NETWORK = `ip link set lo up && ip link add own type bridge && ip addr add ${OWN_ADDRESS}/24 dev own && ip link set own up`;
const isRoot = process.getuid?.() === 0;
const whyNoNetwork = isRoot ? '' : ' (only root can make a network)';
const THROUGH = 'prints the table, through the API server';

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A folder of PATH in which kubectl finds the plugin: the built command line by that name. */
function pluginFolder(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'link'));
  symlinkSync(CLI, join(folder, 'link', 'kubectl-prunesweep'));
  const script = `#!/bin/sh\nexec "${process.execPath}" "${join(folder, 'link', 'kubectl-prunesweep')}" "$@"\n`;
  writeFileSync(join(folder, 'kubectl-prunesweep'), script, { mode: 0o755 });
  return folder;
}

/** `kubectl prunesweep ...ARGS`, of a person whose home is empty. */
function plugin(args: readonly string[], kubeconfig?: string): Promise<Outcome> {
  const env = { ...process.env, HOME: temporaryFolder(), PATH: `${pluginFolder()}:${process.env.PATH}` };
  const child = spawn(kubernetesPrograms().kubectl, ['prunesweep', ...args], {
    env: kubeconfig === undefined ? { ...env, KUBECONFIG: undefined } : { ...env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (data: string) => {
      text[name] += data;
    });
  return new Promise((done) => child.once('close', (code) => done({ code, ...text })));
}

/** A kubeconfig of its own, with what is said. */
function kubeconfigOf(content: object): string {
  const file = join(temporaryFolder(), 'config');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...content }));
  return file;
}

/** Of a cluster that is not there. */
const away = () =>
  kubeconfigOf({
    clusters: [{ name: 'away', cluster: { server: 'https://127.0.0.1:9443' } }],
    contexts: [{ name: 'away', context: { cluster: 'away', user: 'nobody' } }],
    users: [{ name: 'nobody', user: {} }],
    'current-context': 'away',
  });

const SERVICE = 'prunesweep-aggregator';

const addressesOf = (cluster: TestCluster) =>
  cluster.kubectl('get', 'endpoints', SERVICE, '-o', 'jsonpath={.subsets[*].addresses[*].ip}');

/** Takes away the pod behind the Service, which on fake nodes has a made-up address. */
async function serveNowhere(cluster: TestCluster): Promise<void> {
  await cluster.kubectl('scale', 'deployment', SERVICE, '--replicas=0');
  await expect.poll(() => addressesOf(cluster), PATIENT).toBe('');
}

/** Brings the pod back with this machine's address, where an aggregator listens: only to pods the API server goes. */
async function serveAt(cluster: TestCluster, port: number): Promise<void> {
  const ports = [{ name: 'http', port: 80, targetPort: port }];
  await cluster.kubectl('patch', 'service', SERVICE, '--type=merge', '-p', JSON.stringify({ spec: { ports } }));
  await cluster.kubectl('scale', 'deployment', SERVICE, '--replicas=1');
  const its = ['-l', `app.kubernetes.io/name=${SERVICE}`];
  await cluster.kubectl('wait', 'pod', ...its, '--for=create', '--timeout=30s');
  await cluster.kubectl('wait', 'pod', ...its, '--for=condition=Ready', '--timeout=30s');
  const pod = (await cluster.kubectl('get', 'pod', ...its, '-o', 'name')).trim();
  const status = { podIP: OWN_ADDRESS, podIPs: [{ ip: OWN_ADDRESS }] };
  await cluster.kubectl('patch', pod, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }));
  await expect.poll(() => addressesOf(cluster), PATIENT).toBe(OWN_ADDRESS);
}

describe.runIf(hasKubernetes)(`kubectl prunesweep without a cluster${whyNoKubernetes}`, () => {
  it('says what there is', async () => {
    const { code, stdout } = await plugin(['--help']);
    expect(code).toBe(0);
    for (const word of ['Usage: kubectl prunesweep', 'table', 'plan', 'status', 'logs', 'retry', '--kubeconfig', '65'])
      expect(stdout).toContain(word);
    const ofLogs = await plugin(['logs', '--help']);
    for (const word of ['Usage: kubectl prunesweep logs', '--pack', '--namespace', '--context'])
      expect(ofLogs.stdout).toContain(word);
  });

  const none = { contexts: [{ name: 'one', context: { cluster: 'x', user: 'x' } }] };
  const cases: [string, string[], () => string | undefined, RegExp][] = [
    ['no command', [], away, /Usage: kubectl prunesweep/],
    ['an unknown command', ['tabel', 'x'], away, /unknown command 'tabel'.*Did you mean table/s],
    ['no sweep', ['plan'], away, /missing required argument 'name'/],
    ['an unknown format', ['table', 'x', '--format', 'pdf'], away, /'pdf' is invalid/],
    ['a pack that is no number', ['logs', 'x', '--pack', 'first'], away, /'first' is invalid.*an integer from 0/],
    [
      'a kubeconfig that is not there',
      ['plan', 'x', '--kubeconfig', '/no'],
      away,
      /^--kubeconfig \/no: ENOENT.*; give/,
    ],
    ['a KUBECONFIG that is not there', ['plan', 'x'], () => '/no', /^KUBECONFIG \/no: ENOENT.*; give/],
    [
      'no kubeconfig at all',
      ['plan', 'x'],
      () => undefined,
      /^there is no kubeconfig; give --kubeconfig or set KUBECONFIG/,
    ],
    ['a kubeconfig that is none', ['plan', 'x', '--kubeconfig', CLI], away, /^--kubeconfig \S*cli\.js: .*; give/],
    [
      'a context that is not there',
      ['plan', 'x', '--context', 'two'],
      () => kubeconfigOf(none),
      /--context: two is not in the kubeconfig; it has one/,
    ],
    [
      'no context chosen',
      ['plan', 'x'],
      () => kubeconfigOf(none),
      /names no current context; give --context, one of one/,
    ],
    [
      'a context without its cluster',
      ['plan', 'x', '--context', 'one'],
      () => kubeconfigOf(none),
      /context one .*no cluster x/,
    ],
  ];
  for (const [name, args, kubeconfig, message] of cases)
    it(`ends with 64 for ${name}`, async () => {
      const { code, stdout, stderr } = await plugin(args, kubeconfig());
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/^ +at /m);
      expect([code, stdout]).toEqual([64, '']);
    });

  it('ends with 65 for a server that does not answer, and says which', async () => {
    const { code, stderr } = await plugin(['status', 'x'], away());
    expect(stderr.trim()).toBe(
      'the sweep x of namespace default: no answer from https://127.0.0.1:9443 (connect ECONNREFUSED 127.0.0.1:9443)',
    );
    expect(code).toBe(65);
  });
});

describe.runIf(hasKubernetes && hasNats)(`kubectl prunesweep${whyNoKubernetes}${whyNoNats}`, () => {
  it('tells of a sweep what it is, how far it is, and what its pods say, from its beginning to its end', async () => {
    const cluster = await TestCluster.start({ users: { ada: [] } });
    const { kubeconfig } = cluster.plane;
    const ask = (...args: string[]) => plugin([...args, '-n', NAMESPACE], kubeconfig);
    const tells = async (...args: string[]) => {
      const { code, stdout, stderr } = await ask(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return stdout;
    };
    cluster.behave = async (pod) => {
      if (pod.pack !== 1) return cluster.train(pod);
      // Pods that run when the sweep fails are removed, with their logs.
      const succeeded = async () => (await cluster.pods()).filter(({ status }) => status?.phase === 'Succeeded');
      await expect.poll(succeeded, PATIENT).toHaveLength(3);
      return { exitCode: 65 };
    };
    await cluster.apply({ ...SPEC, maxFailedTrials: 0 });
    expect(await tells('status', 'test')).toBe('test: no controller has seen it yet\n');
    expect(await tells('logs', 'test')).toBe('test: there are no pods\n');
    expect(await tells('plan', 'test')).toMatch(
      /12 trials[\s\S]*4 packs[\s\S]*up to 3 pods at once, each with a core and \d+ MiB of memory\n$/,
    );

    cluster.startController();
    const failed = await cluster.until('Failed');
    expect(failed.failedTrials).toHaveLength(1);
    const status = await tells('status', 'test');
    expect(status).toMatch(/^test: Failed\n {2}trials {2}9 of 12 recorded, \d failed/);
    expect(status).toMatch(/kubectl prunesweep retry test tries them again/);
    expect(status).toMatch(/^ {2}failed {2}pack 1: Error, exit 65$/m);

    // kwok runs no containers: what the API server says of that stands in the place of the log.
    const logs = await tells('logs', 'test');
    expect(logs).toMatch(/^==> test-\S+ \(pack 1, Failed\) <==\nits log: \S.*\S\n==> /);
    expect(logs.match(/^==> /gm)).toHaveLength(4);
    expect(await tells('logs', 'test', '--pods', '1')).toContain(
      'and 3 more pods; --pack chooses one, --pods shows more\n',
    );
    expect((await tells('logs', 'test', '--pack', '2')).match(/^==> .*/gm)).toEqual([
      expect.stringMatching(/\(pack 2, Succeeded\)/),
    ]);

    cluster.behave = (pod) => cluster.train(pod);
    expect(await tells('retry', 'test')).toBe('test: what has no record is tried again\n');
    await cluster.until('Complete');
    expect(await tells('status', 'test')).toMatch(
      /^test: Complete\n {2}trials {2}12 of 12 recorded, 0 failed, 0 running/,
    );

    const missing = await ask('status', 'tset');
    expect(missing).toMatchObject({ code: 65, stdout: '' });
    expect(missing.stderr).toBe(
      `the sweep tset of namespace ${NAMESPACE}: there is none; kubectl get prunesweeps -n ${NAMESPACE} shows which there are\n`,
    );
    // Without -n it is the namespace of the context.
    expect((await plugin(['status', 'test'], kubeconfig)).stderr).toContain('the sweep test of namespace default');
    const chosen = ['status', 'test', '--context', 'prunesweep-test', '--kubeconfig', kubeconfig, '-n', NAMESPACE];
    expect((await plugin(chosen)).stdout).toContain('Complete');
    const forbidden = await plugin(['retry', 'test', '-n', NAMESPACE], cluster.plane.userKubeconfig('ada'));
    expect(forbidden.code).toBe(65);
    expect(forbidden.stderr).toMatch(/^the sweep test of namespace prunesweep: .*User "ada" cannot get resource/);
    await cluster.kubectl('delete', 'crd', 'prunesweeps.prunesweep.dev');
    expect((await ask('status', 'test')).stderr).toContain(
      'the cluster knows no PruneSweeps; kubectl apply -k k8s/crd',
    );
  });

  it.runIf(isRoot && !isInOwnNetwork)(`${THROUGH}, in a network of its own${whyNoNetwork}`, async () => {
    const inside = `${OWN_NETWORK} && exec "$0" run "$1" -t "${THROUGH}$"`;
    const vitest = resolve(__dirname, '../../node_modules/.bin/vitest');
    const child = spawn('unshare', ['--net', 'sh', '-c', inside, vitest, __filename], {
      env: { ...process.env, OWN_NETWORK: 'yes' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      said += data;
    });
    const code = await new Promise((done) => child.once('close', done));
    expect({ code, said: code === 0 ? '' : said }).toEqual({ code: 0, said: '' });
    expect(said).toMatch(/1 passed/);
  });

  // What the test before runs.
  if (isInOwnNetwork)
    it(THROUGH, async () => {
      const cluster = await TestCluster.start();
      const ask = (...args: string[]) => plugin(['table', ...args, '-n', NAMESPACE], cluster.plane.kubeconfig);
      cluster.startController();
      await cluster.apply(SPEC);
      await cluster.until('Complete');
      await serveNowhere(cluster);
      const nobody = await ask('test');
      expect(nobody).toMatchObject({ code: 65, stdout: '' });
      expect(nobody.stderr).toMatch(/^the table of test, from the Service .*: no endpoints available/);

      const reader = await startReader(cluster.source.server.url, temporaryFolder(), OWN_ADDRESS);
      await untilState(reader, 'complete');
      await serveAt(cluster, Number(new URL(reader.url).port));
      for (const format of ['md', 'csv', 'tex', 'json']) {
        const { code, stdout, stderr } = await ask('test', '--format', format);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        const table = await (await reader.get(`/api/sweeps/test/table.${format}`)).text();
        expect(stdout.trimEnd(), format).toBe(table.trimEnd());
      }
      await cluster.apply(
        {
          ...SPEC,
          suspend: true,
          dataset: { idx: { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' } },
        },
        'unknown',
      );
      const unknown = await ask('unknown');
      expect(unknown).toMatchObject({ code: 65, stdout: '' });
      expect(unknown.stderr).toMatch(/^the table of unknown, from the Service .*: .*\bunknown\b/);
    });
});
