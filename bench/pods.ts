/**
 * `npm run bench -- pods`: what pods cost beside the training in them. Kubernetes, its node, the images and NATS are real. The
 * last line is JSON.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig, type V1Pod, Watch } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { connectNats, type NatsLink } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { NatsNews } from '../bus/nats/news';
import { SWEEP_LABEL } from '../controller/kubernetes/names';
import { gridPoints } from '../sweep/grid';
import { median } from '../sweep/statistics';
import { document, MNIST, sweepOf } from '../test/fixtures';
import { Installation, NAMESPACE } from '../test/k8s/installation';
import { obtainKubernetes } from '../test/servers/kubernetes/obtain';
import { RealCluster } from '../test/servers/kubernetes/realcluster';
import { obtainTools } from '../test/servers/kubernetes/tools';
import { obtainNats } from '../test/servers/obtain';
import { spread } from './statistics';

const NAME = 'bench';
const LINEAGES = 4;
/** Lineages of about 30 s, a pod each, one after the other. */
const SPEC = {
  ...{ hiddenWidths: [[300, 100]], pruneRatios: [0, 0.9, 0.95, 0.98, 0.99], seeds: LINEAGES, parallelism: 1 },
  ...{ training: { epochs: 28 }, retraining: { epochs: 10 } },
};

const log = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

/** Moments in ms, as this process sees them. */
interface PodLife {
  created: number;
  running?: number;
  ended?: number;
}

/** Sees pods of the sweep come and go, until the signal. */
async function watchPods(kubeconfig: string, signal: AbortSignal): Promise<Map<string, PodLife>> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const lives = new Map<string, PodLife>();
  const see = (_: string, { spec, status }: V1Pod) => {
    // As its trainer calls itself in records.
    const name = spec!.hostname!;
    const now = performance.now();
    const life = lives.get(name) ?? { created: now };
    lives.set(name, life);
    const { state } = status?.containerStatuses?.[0] ?? {};
    if (state?.running !== undefined) life.running ??= now;
    if (state?.terminated !== undefined) life.ended ??= now;
  };
  const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
  // A watch in which nothing happens for a while is ended, by the client too.
  const watch = async (): Promise<void> => {
    if (signal.aborted) return;
    const watching = await new Watch(config).watch(path, { labelSelector: `${SWEEP_LABEL}=${NAME}` }, see, watch);
    signal.addEventListener('abort', () => watching.abort(), { once: true });
  };
  await watch();
  return lives;
}

/** The moments at which the first two epochs of each lineage were told of. */
async function followEpochs(link: NatsLink, epochs: Map<string, number[]>, signal: AbortSignal): Promise<void> {
  for await (const news of new NatsNews(link).follow(signal)) {
    if (news.kind !== 'progress' || news.progress.step !== 'dense' || news.progress.epoch > 2) continue;
    const { lineage, epoch } = news.progress;
    const moments = epochs.get(lineage) ?? [];
    moments[epoch - 1] = performance.now();
    epochs.set(lineage, moments);
  }
}

export async function benchPods(): Promise<void> {
  const [nats, programs, tools] = [await obtainNats(say), await obtainKubernetes(say), await obtainTools(say)];
  const installation = await Installation.start((options) => RealCluster.start(programs, tools, options), nats);
  const ending = new AbortController();
  try {
    const port = await installation.cluster.forward(`nats.${NAMESPACE}.svc.cluster.local`, 4222);
    const link = await connectNats({ url: `nats://127.0.0.1:${port}` }, 'bench', say);
    const epochs = new Map<string, number[]>();
    const following = followEpochs(link, epochs, ending.signal);
    const lives = await watchPods(installation.cluster.plane.kubeconfig, ending.signal);
    await installation.apply(SPEC, NAME);
    await installation.untilComplete(NAME, 1200);
    while ([...lives.values()].some(({ ended }) => ended === undefined)) await sleep(100);
    ending.abort();
    await following;
    const trials = gridPoints(sweepOf(SPEC).spec, MNIST).map(({ trial }) => trial.id);
    const records = await (await NatsLedger.open(link)).recorded(trials);
    await link.connection.close();

    // One after the other: pods and lineages are in one order.
    const starts = [...epochs.values()].map(([first, second]) => first! - (second! - first!));
    const toFirstBatch: number[] = [];
    const toContainer: number[] = [];
    const shares: number[] = [];
    log('pod  lifetime s  training s  evaluation s  useful share  to its container s  to the first batch s');
    for (const [index, [name, { created, running, ended }]] of [...lives].entries()) {
      const costs = [...records.values()].map(({ cost }) => cost).filter(({ host }) => host === name);
      const sum = (what: 'trainingSeconds' | 'evaluationSeconds') => costs.reduce((all, cost) => all + cost[what], 0);
      const [training, evaluation] = [sum('trainingSeconds'), sum('evaluationSeconds')];
      const lifetime = (ended! - created) / 1000;
      shares.push((training + evaluation) / lifetime);
      toContainer.push((running! - created) / 1000);
      toFirstBatch.push((starts[index]! - created) / 1000);
      const row = [lifetime, training, evaluation, shares.at(-1)!, toContainer.at(-1)!, toFirstBatch.at(-1)!];
      log(`${index}    ${row.map((value) => value.toFixed(2).padStart(10)).join('  ')}`);
    }
    const file = join(installation.folder, 'bench.yaml');
    writeFileSync(file, stringify(document(SPEC, NAME)));
    const [served, local] = [await installation.results(NAME), await installation.localResults(file)];
    log(`useful share ${spread(shares)}; from a pod's creation to its container ${spread(toContainer, 2)} s,`);
    log(`to its first batch ${spread(toFirstBatch, 2)} s; ${shares.length} pods of one core`);
    log(
      JSON.stringify({
        useful_share: Number(median(shares).toFixed(3)),
        pod_start_to_first_batch_s: Number(median(toFirstBatch).toFixed(2)),
        same_hash_as_local: JSON.stringify(served) === JSON.stringify(local),
      }),
    );
  } finally {
    ending.abort();
    await installation.stop();
  }
}
