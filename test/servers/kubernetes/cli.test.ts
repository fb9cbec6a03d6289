import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../idxfiles';
import { isAlive } from '../process';
import { pauseProgram, writeImage } from './image';
import { hasNode, whyNoRealCluster } from './index';
import { machine, tracesOf } from './traces';

const PATIENT = { timeout: 60_000, interval: 50 };

/** `npm run cluster -- ...ARGS` */
async function cluster(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = ['--require', 'ts-node/register', join(__dirname, 'cli.ts'), ...args];
  return promisify(execFile)(process.execPath, command).then(
    (said) => ({ code: 0, ...said }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

const keptIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8')) as { pid: number; parts: { containerd: number } };

/** A folder whose cluster ends with the test. */
function folderOfCluster(): string {
  const folder = join(temporaryFolder(), 'cluster');
  onTestFinished(async () => {
    if (existsSync(folder)) await cluster('down', '--folder', folder);
  });
  return folder;
}

describe.runIf(hasNode)(`npm run cluster${whyNoRealCluster}`, () => {
  it('brings a cluster up, says how to use it and what runs, and leaves nothing when it is brought down', async () => {
    const before = machine();
    const folder = folderOfCluster();
    const up = await cluster('up', '--folder', folder);
    expect(up).toMatchObject({ code: 0 });
    const enter = /^(setpriv .*) bash$/m.exec(up.stdout)![1]!;
    const config = /^export KUBECONFIG=(.*)$/m.exec(up.stdout)![1]!;
    const inside = await promisify(execFile)('sh', [
      '-c',
      `${enter} getent hosts kubernetes.default.svc.cluster.local`,
    ]);
    expect(inside.stdout).toMatch(/^10\.0\.0\.1 /);
    const { server } = JSON.parse(readFileSync(config, 'utf8')).clusters[0].cluster;
    expect(server).toMatch(/^https:\/\/localhost:\d+$/);

    const status = await cluster('status', '--folder', folder);
    expect(status.stdout).toMatch(/^kubelet +runs, pid \d+$/m);
    expect(status.stdout).toMatch(/^node\/node +Ready/m);
    const again = await cluster('up', '--folder', folder);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/^--folder .*: is there already; end/) });

    const { pid, parts } = keptIn(folder);
    const traces = tracesOf(folder, parts.containerd);
    expect(await cluster('down', '--folder', folder)).toMatchObject({ code: 0 });
    expect([traces(), isAlive(pid)]).toEqual([[], false]);
    expect(machine()).toEqual(before);
    const nothing = await cluster('status', '--folder', folder);
    expect(nothing).toMatchObject({ code: 1, stderr: expect.stringMatching(/no cluster is there; up makes one/) });
  });

  it('leaves nothing either when the process that keeps it is killed', async () => {
    const folder = folderOfCluster();
    const image = join(temporaryFolder(), 'pause.tar');
    await writeImage(image, { name: 'pause:own', files: { pause: pauseProgram() }, entrypoint: ['/pause'] });
    expect(await cluster('up', '--folder', folder, '--image', image)).toMatchObject({ code: 0 });
    const { pid, parts } = keptIn(folder);
    const traces = tracesOf(folder, parts.containerd);
    expect(traces().length).toBeGreaterThan(8);
    process.kill(pid, 'SIGKILL');
    await expect.poll(traces, PATIENT).toEqual([]);
  });

  it('refuses a folder that a node would hide', async () => {
    const { code, stderr } = await cluster('up', '--folder', '/run/prunesweep-cluster');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/folder \/run\/prunesweep-cluster: .*choose a folder/)]);
  });
});
