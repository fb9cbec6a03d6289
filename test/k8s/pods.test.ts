/** Real pods of the real image on a real kubelet: the quickstart as it is in the README, down to the bytes of its tables. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { SWEEP_LABEL } from '../../controller/kubernetes/names';
import { prunesweep } from '../cli/prunesweep';
import { document } from '../fixtures';
import { hasNode, RealCluster, whyNoRealCluster } from '../servers/kubernetes';
import { hasNats, natsProgram, whyNoNats } from '../servers/nats';
import { writeImages } from './images';

const ROOT = resolve(__dirname, '../..');
const NAMESPACE = 'prunesweep';
const AGGREGATOR = `/api/v1/namespaces/${NAMESPACE}/services/prunesweep-aggregator:http/proxy`;
const PATIENT = { timeout: 240_000, interval: 200 };
const SAMPLE = join(ROOT, 'k8s/samples/quickstart.yaml');
/** On all of MNIST, and so long that it is killed before it is over. */
const SPEC = { hiddenWidths: [[30], [20, 10]], pruneRatios: [0, 0.9, 0.98], training: { epochs: 12 } };

let folder: string;
let cluster: RealCluster;

async function kubectl(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(['--namespace', NAMESPACE, ...args], { stdin });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const apply = (spec: object, name: string) => kubectl(['apply', '-f', '-'], stringify(document(spec, name)));

const isComplete = (name: string) =>
  kubectl(['wait', '--for=condition=Complete', `psw/${name}`, '--timeout=240s']).then(() => true);

async function podsOf(selector: string): Promise<V1Pod[]> {
  return (JSON.parse(await kubectl(['get', 'pods', '-l', selector, '-o', 'json'])) as { items: V1Pod[] }).items;
}

const runningPod = async (sweep: string): Promise<V1Pod | undefined> =>
  (await podsOf(`${SWEEP_LABEL}=${sweep}`)).find(({ status }) => status?.containerStatuses?.[0]?.state?.running);

const RESULTS = ['trials.csv', 'table.csv', 'table.md'] as const;
type Results = Record<(typeof RESULTS)[number], string>;

/** What the same sweep gives on this machine, without a cluster. */
async function localRun(file: string): Promise<Results> {
  const out = mkdtempSync(join(folder, 'out-'));
  const { code, stderr } = await prunesweep('run', file, '--out', out);
  expect(code, stderr).toBe(0);
  return Object.fromEntries(RESULTS.map((name) => [name, readFileSync(join(out, name), 'utf8')])) as Results;
}

async function clusterRun(sweep: string): Promise<Results> {
  const ask = (name: string) => kubectl(['get', '--raw', `${AGGREGATOR}/api/sweeps/${sweep}/${name}`]);
  return Object.fromEntries(
    await Promise.all(RESULTS.map(async (name) => [name, await ask(name)] as const)),
  ) as Results;
}

const isHere = hasNode && hasNats;

beforeAll(async () => {
  if (!isHere) return;
  folder = mkdtempSync(join(tmpdir(), 'prunesweep-pods-'));
  cluster = await RealCluster.start({ images: await writeImages(folder, natsProgram()) });
  await kubectl(['apply', '-k', join(ROOT, 'k8s/overlays/quickstart')]);
  await kubectl(['wait', '--for=condition=Established', 'crd/prunesweeps.prunesweep.dev', '--timeout=60s']);
  await kubectl(['rollout', 'status', 'statefulset/nats', '--timeout=120s']);
  for (const name of ['prunesweep-aggregator', 'prunesweep-controller'])
    await kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=120s']);
});
afterAll(async () => {
  if (!isHere) return;
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.runIf(isHere)(`in pods${whyNoRealCluster}${whyNoNats}`, () => {
  it('the quickstart has the same trials and tables, byte for byte, as on one machine, and as the README shows', async () => {
    await kubectl(['apply', '-f', SAMPLE]);
    expect(await isComplete('quickstart')).toBe(true);
    const local = await localRun(SAMPLE);
    expect(await clusterRun('quickstart')).toEqual(local);
    const rows = local['table.md'].split('\n').filter((line) => line.startsWith('|'));
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(rows.map((row) => `    ${row}\n`).join(''));
    const plugin = join(folder, 'kubectl-prunesweep');
    symlinkSync(join(ROOT, 'dist/cli.js'), plugin);
    const asked = ['table', 'quickstart', '--namespace', NAMESPACE, '--format', 'csv'];
    const { stdout, stderr } = await cluster.exec(process.execPath, [plugin, ...asked]);
    expect(stdout, stderr).toBe(local['table.csv']);
  });

  it('a trainer has no token, no capability, no way to write, and no system calls but the usual', async () => {
    await apply({ ...SPEC, seeds: [7] }, 'looked-at');
    await expect.poll(() => runningPod('looked-at'), PATIENT).toBeDefined();
    const { metadata, spec } = (await runningPod('looked-at'))!;
    expect(spec).toMatchObject({ automountServiceAccountToken: false });
    const script = `const fs = require('node:fs');
      const status = fs.readFileSync('/proc/1/status', 'utf8');
      const read = (name) => new RegExp(name + ':\\\\s*(\\\\S+)').exec(status)[1];
      let written = 'written';
      try { fs.writeFileSync('/app/written', '') } catch (error) { written = error.code }
      console.log(JSON.stringify({
        written, token: fs.existsSync('/var/run/secrets'), uid: read('Uid'), seccomp: read('Seccomp'),
        capabilities: ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => Number('0x' + read(set))),
      }))`;
    const said = await kubectl(['exec', metadata!.name!, '--', '/usr/bin/node', '-e', script]);
    expect(JSON.parse(said)).toEqual({
      ...{ written: 'EROFS', token: false, uid: '65532', seccomp: '2', capabilities: [0, 0, 0, 0] },
    });
    await kubectl(['delete', 'psw', 'looked-at']);
    await expect.poll(() => podsOf(`${SWEEP_LABEL}=looked-at`), PATIENT).toEqual([]);
  });

  it('a sweep is the same bytes when its trainer, the aggregator, the controller and NATS are killed', async () => {
    await apply(SPEC, 'killed');
    await expect.poll(() => runningPod('killed'), PATIENT).toBeDefined();
    const trained = async () => /epoch/.test(await kubectl(['logs', (await runningPod('killed'))!.metadata!.name!]));
    await expect.poll(trained, PATIENT).toBe(true);
    const first = (await runningPod('killed'))!;
    await cluster.killContainer(first.status!.containerStatuses![0]!.containerID!);
    await kubectl(['delete', 'pods', '-l', 'app.kubernetes.io/name', '--wait=false']);
    expect(await isComplete('killed')).toBe(true);
    const file = join(folder, 'killed.yaml');
    writeFileSync(file, stringify(document(SPEC, 'killed')));
    expect(await clusterRun('killed')).toEqual(await localRun(file));
    const { status } = JSON.parse(await kubectl(['get', 'psw', 'killed', '-o', 'json']));
    expect(status.trials).toEqual({ total: 6, recorded: 6, failed: 0, running: 0 });
  });
});
