/** One schedule of faults on a real node, from `kubectl apply` to the table. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { V1Pod } from '@kubernetes/client-node';
import { connect, type NatsConnection } from 'nats';
import { stringify } from 'yaml';
import type { Progress } from '../../../bus/bus';
import { progressSubject } from '../../../bus/nats/subjects';
import type { PruneSweep } from '../../../controller/kubernetes/resource';
import { document } from '../../fixtures';
import { type Installation, type Results, ROOT } from '../../k8s/installation';
import { NODE } from '../../servers/kubernetes/realcluster';
import { inStream } from '../instream';
import { ENOUGH_MEMORY, type PodFault, type PodSchedule, resourcesOf } from './schedule';

const SETTLES_WITHIN = 420_000;
const EVICTS_WITHIN = 40_000;
/** A person tries again what failed so often at most. */
const MOST_RETRIES = 10;
const MOST_TRIES = 10;

/** Epochs that trainers told of: those told of twice were trained twice. */
export class Epochs {
  private readonly times = new Map<string, number>();

  private constructor(private readonly connection: NatsConnection) {}

  /** @param servers URL of NATS, which may be away for a while */
  static async hear(servers: string): Promise<Epochs> {
    const connection = await connect({
      ...{ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100, waitOnFirstConnect: true },
    });
    const epochs = new Epochs(connection);
    connection.subscribe(progressSubject('*'), {
      callback: (_, message) => {
        const { lineage, step, epoch } = message.json<Progress>();
        const key = `${lineage} ${step} ${epoch}`;
        epochs.times.set(key, (epochs.times.get(key) ?? 0) + 1);
      },
    });
    return epochs;
  }

  get different(): number {
    return this.times.size;
  }

  get repeated(): number {
    return [...this.times.values()].reduce((sum, times) => sum + times - 1, 0);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** A node and what runs on it, which goes wrong in the ways of a schedule. */
class Node {
  constructor(
    private readonly installation: Installation,
    private readonly sweep: string,
  ) {}

  async suffer({ kind, lasts, whom }: PodFault): Promise<void> {
    const { cluster, kubectl } = this.installation;
    const remove = (...what: string[]) => kubectl(['delete', 'pods', '--wait=false', ...what]);
    switch (kind) {
      case 'trainer killed':
      case 'trainer deleted': {
        const pods = await this.installation.runningPods(this.sweep);
        const pod = pods[whom % pods.length];
        // One that has just ended is no trainer any more.
        if (kind === 'trainer deleted') await (pod && remove('--ignore-not-found', pod.metadata!.name!));
        else await (pod && cluster.killContainer(pod.status!.containerStatuses![0]!.containerID!).catch(() => {}));
        return;
      }
      case 'node drained':
        await kubectl(['drain', NODE, '--delete-emptydir-data', '--force', '--timeout=60s']);
        await sleep(lasts);
        await kubectl(['uncordon', NODE]);
        return;
      case 'kubelet stopped':
        await cluster.kill('kubelet');
        await sleep(lasts);
        return cluster.begin('kubelet');
      case 'disk full':
        cluster.fillDisk();
        try {
          await this.until(async () => (await this.allPods()).some(isEvicted));
        } finally {
          cluster.freeDisk();
        }
        return;
      case 'GPU unhealthy':
        cluster.setGpuHealth(false);
        await sleep(lasts);
        return cluster.setGpuHealth(true);
      case 'NATS deleted':
        await remove('nats-0');
        return;
      case 'aggregator deleted':
      case 'controller deleted':
        await remove('-l', `app.kubernetes.io/name=prunesweep-${kind.split(' ')[0]}`);
        return;
      case 'all deleted':
        await remove('--all');
        return;
      case 'upgrade':
        await kubectl(['rollout', 'restart', 'deployment']);
        await kubectl(['apply', '-k', join(ROOT, 'k8s/crd')]);
    }
  }

  private async allPods(): Promise<V1Pod[]> {
    return JSON.parse(await this.installation.kubectl(['get', 'pods', '-o', 'json'])).items;
  }

  private async until(isSo: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + EVICTS_WITHIN; !(await isSo()); await sleep(500))
      if (Date.now() > end) throw new Error(`no pod was evicted within ${EVICTS_WITHIN} ms`);
  }
}

/** By kubelet, which was short of something. Its end may be a success: then nothing else says so. */
const isEvicted = ({ status }: V1Pod): boolean =>
  status?.conditions?.some(({ reason }) => reason === 'TerminationByKubelet') === true;

/** What is asked while NATS comes back may break off halfway, and is asked again. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await ask();
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
      await sleep(2000);
    }
}

const isTrue = ({ status }: PruneSweep, type: string): boolean =>
  status?.conditions.some((condition) => condition.type === type && condition.status === 'True') === true;

/**
 * @param nats URL of the cluster's NATS
 * @returns what must not be, nothing if all is well
 */
export async function runPodSchedule(
  installation: Installation,
  { seed, faults, isMemoryTooLow, spec }: PodSchedule,
  nats: string,
): Promise<string[]> {
  const problems: string[] = [];
  const name = `faults-${seed}`;
  const file = join(installation.folder, `${name}.yaml`);
  writeFileSync(file, stringify(document(spec, name)));
  const local = await installation.localResults(file);
  const trials = local['trials.csv'].split('\n').slice(1, -1);
  const node = new Node(installation, name);
  await installation.apply(spec, name);
  let [retries, isMended] = [0, !isMemoryTooLow];

  /** Looks as a person does, and mends what a person has to. @returns whether the sweep says that it is complete */
  const look = async (): Promise<boolean> => {
    const sweep = await installation.sweep(name);
    if (isTrue(sweep, 'Complete')) {
      const there = await inStream(nats);
      const count = trials.filter((line) => there?.has(line.split(',')[0]!)).length;
      if (there !== undefined && count < trials.length)
        problems.push(`complete was claimed with ${count} of ${trials.length} records in the ledger`);
      return true;
    }
    if (!isTrue(sweep, 'Failed') || retries >= MOST_RETRIES) return false;
    const { failedTrials = [] } = sweep.status!;
    if (failedTrials.length === 0) problems.push('it failed, and names no trial that did');
    if (!isMended) {
      const said = failedTrials.map(({ reason }) => reason).join('\n');
      if (!/OOMKilled.*raise spec\.template\.resources\.limits\.memory/.test(said))
        problems.push(`memory ran out, and the status says ${JSON.stringify(failedTrials)}`);
      const patch = { spec: { template: { resources: resourcesOf(ENOUGH_MEMORY) } } };
      await installation.kubectl(['patch', 'psw', name, '--type=merge', '-p', JSON.stringify(patch)]);
      isMended = true;
    }
    retries++;
    await installation.plugin(['retry', name]);
    await sleep(2000);
    return false;
  };

  const until = async (what: string, isSo: () => Promise<boolean>) => {
    for (const end = performance.now() + SETTLES_WITHIN; !(await isSo()); await sleep(300))
      if (performance.now() > end) {
        problems.push(`${what} is not so after ${SETTLES_WITHIN / 1000} s: ${await whatIs(installation, name)}`);
        return;
      }
  };
  await until('a trainer runs', async () => {
    await look();
    return (await installation.runningPods(name)).length > 0;
  });
  let isOver = false;
  const watching = (async () => {
    while (!isOver && !(await look())) await sleep(300);
  })();
  const injections = faults.map((fault) => sleep(fault.at).then(() => node.suffer(fault)));
  for (const outcome of await Promise.allSettled(injections))
    if (outcome.status === 'rejected') problems.push(`${outcome.reason}: ${await whatIs(installation, name)}`);
  isOver = true;
  await watching;
  await until('it is complete', look);
  await installation.untilReady();
  const served = await patiently(() => installation.results(name));
  for (const [what, text] of Object.entries(local))
    if (served[what as keyof Results] !== text) problems.push(`${what} is not that of one machine`);
  const { status } = await installation.sweep(name);
  const expected = { total: trials.length, recorded: trials.length, failed: 0, running: 0 };
  if (!isDeepStrictEqual(status?.trials, expected))
    problems.push(`its status counts ${JSON.stringify(status?.trials)}`);
  if (problems.length > 0) problems.push(await whatIs(installation, name));
  await installation.kubectl(['delete', 'psw', name]);
  return problems;
}

/** For whoever looks for the cause. */
async function whatIs({ kubectl }: Installation, name: string): Promise<string> {
  const said = await Promise.all(
    [
      ['get', 'pods', '-o', 'wide'],
      ['describe', 'node', NODE],
      ['get', 'psw', name, '-o', 'yaml'],
      ['describe', 'jobs'],
      ['logs', 'deployment/prunesweep-controller', '--tail=30'],
      ['logs', 'deployment/prunesweep-aggregator', '--tail=30'],
    ].map((args) => kubectl(args).catch((error: Error) => error.message)),
  );
  return said.join('\n---\n');
}
