/**
 * Each call that a controller makes of the API server is a point at which it may die. All of them are walked: at point k the
 * controller is killed with its k-th call of the life of a sweep, and another goes on.
 */
import { describe, expect, it } from 'vitest';
import { type ControllerProcess, PATIENT, TestCluster } from '../../controller/kubernetes/cluster';
import { hasKubernetes, whyNoKubernetes } from '../../servers/kubernetes';
import { hasNats, whyNoNats } from '../../servers/nats';
import { ApiProxy, type Call } from './apiproxy';
import { Witness } from './witness';

/** Where the controller dies: the API server has not seen the call, or has answered it and the answer is lost. */
const isWhole = process.env.CRASH_POINTS === 'all';
const KINDS = isWhole ? (['before', 'after'] as const) : (['before'] as const);
/** Every point of a life takes minutes; by default each sixth is walked, and at least one of each kind of call. */
const STEP = isWhole ? 1 : 6;
const MOST = 100;

/** All that the life of such a sweep makes a controller ask, beside lists, watches and the lease. */
const CALLS = [
  'DELETE configmaps',
  'DELETE jobs',
  'GET configmaps',
  'PATCH jobs',
  'POST configmaps',
  'POST events',
  'POST jobs',
  'PUT status',
];

/** `PUT status`, `DELETE jobs`: a deletion of many is one of one. */
const whatOf = ({ method, path }: Call): string =>
  `${method} ${/\/status\b/.test(path) ? 'status' : path.match(/\/namespaces\/[^/]+\/(\w+)/)![1]}`;

interface Running {
  controller: ControllerProcess;
  proxy: ApiProxy;
}

describe.runIf(hasKubernetes && hasNats)(`a controller that is killed${whyNoKubernetes}${whyNoNats}`, () => {
  it('between a ConfigMap and its Job leaves no ConfigMap when the sweep is another before there is another', async () => {
    const cluster = await TestCluster.start({ auditLog: true });
    const witness = new Witness(cluster);
    const proxy = await ApiProxy.start(cluster.controllerKubeconfig);
    const first = cluster.startController([], proxy.kubeconfig);
    let isDead = false;
    proxy.before = async ({ method, path }) => {
      if (method !== 'POST' || !path.includes('/jobs')) return true;
      await first.end('SIGKILL');
      isDead = true;
      return false;
    };
    await witness.apply('test', { hiddenWidths: [[3]], pruneRatios: [0, 0.5] });
    await expect.poll(() => isDead, PATIENT).toBe(true);
    proxy.stop();
    await witness.edit('test', { hiddenWidths: [[4]] });
    await witness.freeLease();
    cluster.startController();
    expect(await witness.problemsOf('test')).toEqual([]);
  });

  for (const kind of KINDS)
    it(`${kind} any one of its calls leaves nothing behind, and another ends what it began`, async () => {
      const cluster = await TestCluster.start({ auditLog: true });
      const witness = new Witness(cluster);
      const gates = new Map<string, Promise<void>>();
      cluster.behave = async (pod) => {
        await gates.get(pod.sweep);
        return cluster.train(pod);
      };
      const start = async (): Promise<Running> => {
        const proxy = await ApiProxy.start(cluster.controllerKubeconfig);
        return { proxy, controller: cluster.startController([], proxy.kubeconfig) };
      };
      let running = await start();
      /** Kills what runs with the first call of which this is so, numbered from 1; lists and watches of a start are none. */
      const crashAt = (isPoint: (number: number, what: string) => boolean) => {
        const { controller, proxy } = running;
        let calls = 0;
        const crash = { at: '', over: Promise.resolve() };
        proxy[kind] = async (call) => {
          if (call.kind !== 'read' && call.kind !== 'write') return crash.at === '';
          if (crash.at !== '' || !isPoint(++calls, whatOf(call))) return crash.at === '';
          crash.at = whatOf(call);
          crash.over = (async () => {
            await controller.end('SIGKILL');
            await witness.freeLease();
            running = await start();
            proxy.stop();
          })();
          return false;
        };
        return crash;
      };
      const walked: string[] = [];
      let lives = 0;
      /** The life of a sweep with a crash in it. @returns whether there was one */
      const live = async (isPoint: (number: number, what: string) => boolean): Promise<boolean> => {
        const name = `${kind}-${++lives}`;
        let open = () => {};
        gates.set(
          name,
          new Promise((resolve) => {
            open = resolve;
          }),
        );
        const crash = crashAt(isPoint);
        // Its records are its own: no other sweep has its seeds.
        await witness.apply(name, { hiddenWidths: [[3]], pruneRatios: [0, 0.5], seeds: [lives], parallelism: 2 });
        await witness.until(name, ({ state }) => state === 'Running');
        await witness.edit(name, { suspend: true });
        await witness.until(name, ({ state, packs }) => state === 'Suspended' && packs.active === 0);
        await witness.edit(name, { suspend: false });
        await witness.until(name, ({ state }) => state === 'Running');
        await witness.edit(name, { hiddenWidths: [[3], [4]] });
        await witness.until(name, ({ packs }) => packs.active === 2);
        open();
        expect(await witness.problemsOf(name), `killed ${kind} ${crash.at}`).toEqual([]);
        if (crash.at === '') return false;
        await crash.over;
        walked.push(crash.at);
        await witness.delete(name);
        return true;
      };
      let point = 1;
      while (point < MOST && (await live((number) => number === point))) point += STEP;
      // Lives differ by a status or two: what comes last may have been stepped over.
      for (const what of CALLS)
        if (!walked.includes(what)) expect(await live((_, one) => one === what), what).toBe(true);
      process.stdout.write(`${JSON.stringify({ crashes: kind, points: walked.length })}\n`);
      expect(point).toBeLessThan(MOST);
      expect([...new Set(walked)].sort()).toEqual(CALLS);
    }, 900_000);
});
