/** One schedule of faults around a controller, from the sweep's first word to its completion. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { startReader } from '../../aggregator/line';
import { NAMESPACE, TestCluster } from '../../controller/kubernetes/cluster';
import { temporaryFolder } from '../../idxfiles';
import { FaultyProxy } from '../proxy';
import { ApiProxy } from './apiproxy';
import type { OperatorFault, OperatorSchedule } from './schedule';
import { patiently, Witness } from './witness';

const CLOCK = join(__dirname, '..', 'jumping-clock.cjs');
const NAME = 'test';

/** What of a control plane and its surroundings can be made to fail, one fault of a kind at a time. */
class Surroundings {
  private controller;
  private reader;
  private readonly folder = temporaryFolder();
  private readonly turns = new Map<string, Promise<void>>();
  private lastWords = '';

  private constructor(
    private readonly cluster: TestCluster,
    private readonly proxy: ApiProxy,
    private readonly aggregator: FaultyProxy,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    this.reader = cluster.reader;
    this.controller = this.startController();
  }

  static async start(cluster: TestCluster, { seed, clockJumps }: OperatorSchedule): Promise<Surroundings> {
    const proxy = await ApiProxy.start(cluster.controllerKubeconfig);
    const env = clockJumps ? { NODE_OPTIONS: `--require ${CLOCK}`, CLOCK_SEED: String(seed) } : {};
    // Its address stays where another aggregator takes the place of one that ended.
    let port = () => Number(new URL(cluster.reader.url).port);
    const aggregator = await FaultyProxy.start(() => port());
    const surroundings = new Surroundings(cluster, proxy, aggregator, env);
    port = () => Number(new URL(surroundings.reader.url).port);
    onTestFinished(async () => {
      proxy.stop();
      await aggregator.stop();
    });
    return surroundings;
  }

  /** The ends of the logs of all controllers that there were. */
  get said(): string {
    return `${this.lastWords}\n${this.controller.said()}`.split('\n').slice(-60).join('\n');
  }

  private startController() {
    const args = ['--aggregator', `http://127.0.0.1:${this.aggregator.port}`];
    return this.cluster.startController(args, this.proxy.kubeconfig, this.env);
  }

  /** Two faults of the same part wait for each other. */
  inject(fault: OperatorFault): Promise<void> {
    const part = fault.kind.split(' ')[0]!;
    const turn = (this.turns.get(part === 'etcd' ? 'API' : part) ?? Promise.resolve()).then(() => this.suffer(fault));
    this.turns.set(part === 'etcd' ? 'API' : part, turn);
    return turn;
  }

  private async suffer({ kind, lasts }: OperatorFault): Promise<void> {
    const { cluster, proxy } = this;
    const { plane, source } = cluster;
    switch (kind) {
      case 'controller killed':
        await this.controller.end('SIGKILL');
        this.lastWords += this.controller.said();
        await sleep(Math.min(lasts, 1000));
        this.controller = this.startController();
        return;
      case 'controller stopped':
        this.controller.child.kill('SIGSTOP');
        await sleep(lasts);
        this.controller.child.kill('SIGCONT');
        return;
      case 'API server killed':
        await plane.kill('kube-apiserver');
        await sleep(Math.min(lasts, 2000));
        return plane.begin('kube-apiserver');
      case 'etcd paused':
        plane.pause('etcd');
        await sleep(lasts);
        return plane.resume('etcd');
      case 'watches cut':
        return proxy.cutWatches();
      case 'watches stalled':
        proxy.stallWatches(true);
        await sleep(lasts);
        return proxy.stallWatches(false);
      case 'NATS killed':
        await source.server.kill();
        await sleep(lasts);
        return source.server.begin();
      case 'aggregator ended':
        await this.reader.end();
        await sleep(lasts);
        this.reader = await startReader(source.server.url, this.folder);
        return;
      case 'pod evicted': {
        const pods = await cluster.pods(NAME).catch(() => []);
        const running = pods.find(({ status }) => status?.phase === 'Running');
        if (running !== undefined) await cluster.evict(running.metadata!.name!).catch(() => {});
      }
    }
  }
}

/** @returns what must not be, nothing if all is well */
export async function runOperatorSchedule(schedule: OperatorSchedule): Promise<string[]> {
  const cluster = await TestCluster.start({ auditLog: true });
  const witness = new Witness(cluster);
  cluster.behave = async (pod) => {
    await sleep(schedule.workLasts());
    return patiently(() => cluster.train(pod), 120_000);
  };
  const surroundings = await Surroundings.start(cluster, schedule);
  await witness.apply(NAME, schedule.spec);
  const edits = (async () => {
    let now = 0;
    for (const { at, spec } of schedule.edits) {
      await sleep(at - now);
      now = at;
      await witness.edit(NAME, spec);
    }
  })();
  await Promise.all([edits, ...schedule.faults.map((fault) => sleep(fault.at).then(() => surroundings.inject(fault)))]);
  await witness.edit(NAME, schedule.last);
  const problems = await witness.problemsOf(NAME, 120);
  if (problems.length === 0) return [];
  const { stdout } = await cluster.plane.kubectl(['get', 'psw,jobs,pods,configmaps', '--namespace', NAMESPACE]);
  return [...problems, stdout, surroundings.said];
}
