/** Real pods of the real image on a real kubelet: the quickstart as it is in the README, down to the bytes of its tables. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasNode, RealCluster, whyNoRealCluster } from '../servers/kubernetes';
import { hasNats, natsProgram, whyNoNats } from '../servers/nats';
import { Installation, ROOT } from './installation';

const PATIENT = { timeout: 240_000, interval: 200 };
const SAMPLE = join(ROOT, 'k8s/samples/quickstart.yaml');
/** On all of MNIST, and so long that it is killed before it is over. */
const SPEC = { hiddenWidths: [[30], [20, 10]], pruneRatios: [0, 0.9, 0.98], training: { epochs: 12 } };

const isHere = hasNode && hasNats;
let installation: Installation;
const firstRunning = async (sweep: string) => (await installation.runningPods(sweep))[0];

beforeAll(async () => {
  if (isHere) installation = await Installation.start(RealCluster.start, natsProgram(), { gpus: 1 });
});
afterAll(async () => installation?.stop());

describe.runIf(isHere)(`in pods${whyNoRealCluster}${whyNoNats}`, () => {
  it('the quickstart has the same trials and tables, byte for byte, as on one machine, and as the README shows', async () => {
    await installation.kubectl(['apply', '-f', SAMPLE]);
    await installation.untilComplete('quickstart');
    const local = await installation.localResults(SAMPLE);
    expect(await installation.results('quickstart')).toEqual(local);
    const rows = local['table.md'].split('\n').filter((line) => line.startsWith('|'));
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(rows.map((row) => `    ${row}\n`).join(''));
    expect(await installation.plugin(['table', 'quickstart', '--format', 'csv'])).toBe(local['table.csv']);
  });

  it('a trainer has no token, no capability, no way to write, and no system calls but the usual', async () => {
    await installation.apply({ ...SPEC, seeds: [7] }, 'looked-at');
    await expect.poll(() => firstRunning('looked-at'), PATIENT).toBeDefined();
    const { metadata, spec } = (await firstRunning('looked-at'))!;
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
    const said = await installation.kubectl(['exec', metadata!.name!, '--', '/usr/bin/node', '-e', script]);
    expect(JSON.parse(said)).toEqual({
      ...{ written: 'EROFS', token: false, uid: '65532', seccomp: '2', capabilities: [0, 0, 0, 0] },
    });
    await installation.kubectl(['delete', 'psw', 'looked-at']);
    await expect.poll(() => installation.podsOf('looked-at'), PATIENT).toEqual([]);
  });

  it('a pod that asks for a GPU and gets none that works ends at once with 65 and the reason, or trains without if it may', async () => {
    const small = { hiddenWidths: [[8]], pruneRatios: [0, 0.9], seeds: [3], training: { epochs: 1 } };
    await installation.apply({ ...small, template: { accelerator: 'gpu' } }, 'without-gpu');
    await installation.kubectl(['wait', '--for=condition=Failed', 'psw/without-gpu', '--timeout=120s']);
    const pods = await installation.podsOf('without-gpu');
    expect(pods.map(({ status }) => status!.containerStatuses![0]!.state!.terminated!.exitCode)).toEqual([65]);
    const said = await installation.kubectl(['logs', pods[0]!.metadata!.name!]);
    expect(said).toContain('this pod has no GPU that works: TensorFlow for GPUs is not installed');

    await installation.apply({ ...small, seeds: [4], template: { accelerator: 'gpu', allowCpu: true } }, 'may-use-cpu');
    await installation.untilComplete('may-use-cpu');
    const [pod] = await installation.podsOf('may-use-cpu');
    expect(await installation.kubectl(['logs', pod!.metadata!.name!])).toContain('engine wasm, since there is no GPU');
  });

  it('all of it is uninstalled as docs/operating.md says, without a trace', async () => {
    const { cluster, kubectl } = installation;
    const lines = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8').split('\n');
    const commands = lines.filter((line) => line.startsWith('    kubectl delete'));
    expect(commands).toHaveLength(2);
    for (const command of commands) {
      const [, ...args] = command.replace(/#.*/, '').trim().split(/ +/);
      await kubectl(args.map((arg) => (arg.startsWith('k8s/') ? join(ROOT, arg) : arg)));
    }
    const { stdout } = await cluster.kubectl(['api-resources', '--verbs=list', '-o', 'name']);
    const kinds = stdout
      .trim()
      .split('\n')
      .filter((kind) => !kind.startsWith('events'));
    const left = await cluster.kubectl([
      'get',
      kinds.join(','),
      '--all-namespaces',
      '-o',
      'name',
      '--ignore-not-found',
    ]);
    expect(left.code, left.stderr).toBe(0);
    expect(left.stdout.split('\n').filter((name) => name.includes('prunesweep'))).toEqual([]);
  });
});
