/**
 * `npm run bench -- engine`: an epoch of this project's engine beside PyTorch's and JAX's, one core each, interleaved.
 * Everyone starts from the same weights and the same pruned networks; losses and accuracies are compared, so that all
 * do the same work. The last line is JSON: ratios (how many times faster) of medians.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from '../sweep/statistics';
import { loadDataset } from '../trainer/data/dataset';
import { WasmEngine } from '../trainer/engine/wasm';
import { initialise } from '../trainer/initialise';
import { networkBytes } from '../trainer/kept';
import { fullMasks, maskedParameters, type Parameters, zeroParameters } from '../trainer/network';
import { prune } from '../trainer/prune';
import { RandomStream } from '../trainer/random';
import { jaxPeer, ownPeer, type Peer, torchPeer } from './peers/peers';
import { spread } from './statistics';

const DENSITIES = { '10pct': 0.1, '2pct': 0.02, '1pct': 0.01, '05pct': 0.005 };
const NETWORKS = [
  [300, 100],
  [1200, 100],
  [300, 300],
];
const ROUNDS = 5;
/** Epochs of dense training before pruning, so that pruned networks have the shape that magnitude pruning gives. */
const DENSE_EPOCHS = 3;

interface Case {
  name: string;
  file: string;
  masked: boolean;
}

/** The start of dense training, and networks pruned from one that is trained. */
function makeCases(folder: string, sizes: number[]): Case[] {
  const images = loadDataset({ name: 'mnist', validation: 0 });
  const settings = { batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 } as const;
  const start = initialise(sizes, 1);
  const { parameters } = new WasmEngine(images).fit({
    sizes,
    settings: { ...settings, epochs: DENSE_EPOCHS },
    start: { parameters: start, first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 },
    order: (epoch) => new RandomStream(1, 'order', epoch).permutation(images.subsets.train.count),
  });
  const save = (name: string, network: Parameters): string => {
    const file = join(folder, `${sizes.join('-')}.${name}.npz`);
    writeFileSync(file, networkBytes(network, sizes));
    return file;
  };
  const total = parameters.weights.reduce((sum, layer) => sum + layer.length, 0);
  const recipe = { criterion: 'magnitude', scope: 'global' } as const;
  const pruned = Object.entries(DENSITIES).map(([name, density]) => {
    const stream = new RandomStream(1, 'prune');
    const { masks } = prune(parameters.weights, fullMasks(sizes), recipe, Math.round(density * total), stream);
    return { name: `sparse_${name}`, file: save(name, maskedParameters(parameters, masks)), masked: true };
  });
  return [{ name: 'dense', file: save('dense', start), masked: false }, ...pruned];
}

interface Figures {
  seconds: number[];
  losses: number[];
}

/** One round after another, everyone an epoch of each case; the first round is not counted. */
async function measure(peers: readonly Peer[], cases: readonly Case[], sizes: number[]): Promise<Map<string, Figures>> {
  const figures = new Map<string, Figures>();
  const takesPart = (peer: Peer, { masked }: Case) => !(masked && peer.name === 'jax');
  for (const one of cases)
    for (const peer of peers)
      if (takesPart(peer, one))
        await peer.ask({ do: 'load', key: one.name, file: one.file, masked: one.masked, sizes });
  for (let round = 0; round <= ROUNDS; round++)
    for (const one of cases)
      for (const peer of peers) {
        if (!takesPart(peer, one)) continue;
        const { seconds, loss } = await peer.ask({ do: 'epoch', key: one.name });
        const known = figures.get(`${one.name} ${peer.name}`) ?? { seconds: [], losses: [] };
        if (round > 0) known.seconds.push(seconds!);
        known.losses.push(loss!);
        figures.set(`${one.name} ${peer.name}`, known);
      }
  for (let round = 0; round <= ROUNDS; round++)
    for (const peer of peers) {
      const { seconds, correct } = await peer.ask({ do: 'evaluate', key: 'dense' });
      const known = figures.get(`evaluation ${peer.name}`) ?? { seconds: [], losses: [] };
      if (round > 0) known.seconds.push(seconds!);
      known.losses.push(1 - correct! / 10000);
      figures.set(`evaluation ${peer.name}`, known);
    }
  return figures;
}

/** Losses after the same number of epochs on other orders of images: the same to a tenth, or the work is not the same. */
function compareLosses(network: string, figures: Map<string, Figures>): void {
  for (const [key, { losses }] of figures) {
    const [name, peer] = key.split(' ') as [string, string];
    if (peer === 'own') continue;
    // Ours trains two epochs a round.
    const own = figures.get(`${name} own`)!.losses[name === 'evaluation' ? 0 : 1]!;
    const theirs = losses[name === 'evaluation' ? 0 : 3]!;
    const apart = Math.abs(theirs - own);
    const same = name === 'evaluation' ? apart < 0.01 : apart < 0.1 * own + 0.01;
    if (!same) throw new Error(`${network} ${name}: loss ${own} here and ${theirs} with ${peer}: not the same work`);
  }
}

/** Two at once beside one alone: how much of a second core is gained. */
async function parallelEfficiency(sizes: number[], dense: Case): Promise<number> {
  const pair = [ownPeer(), ownPeer()];
  const order = { do: 'epoch', key: 'dense' };
  for (const peer of pair) await peer.ask({ ...dense, do: 'load', key: 'dense', sizes });
  await Promise.all(pair.map((peer) => peer.ask(order)));
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = (await pair[round % 2]!.ask(order)).seconds!;
    const together = await Promise.all(pair.map((peer) => peer.ask(order)));
    ratios.push((alone / together[0]!.seconds! + alone / together[1]!.seconds!) / 2);
  }
  for (const peer of pair) peer.end();
  return median(ratios);
}

/** Largest resident set of a run with two workers on MNIST, in MB. */
function peakMegabytes(folder: string): number {
  const root = join(__dirname, '..');
  const file = join(folder, 'memory.yaml');
  const spec =
    '{hiddenWidths: [[300, 100], [300, 300]], pruneRatios: [0, 0.9], training: {epochs: 2}, recipes: [{}, {recovery: regrow}]}';
  writeFileSync(
    file,
    `apiVersion: prunesweep.dev/v1alpha1\nkind: PruneSweep\nmetadata: {name: memory}\nspec: ${spec}\n`,
  );
  const hook = join(root, 'test', 'cli', 'report-memory.cjs');
  const cli = [join(root, 'dist', 'cli.js'), 'run', file, '--out', join(folder, 'memory'), '--workers', '2'];
  const { output, status } = spawnSync(process.execPath, ['--require', hook, ...cli], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  if (status !== 0) throw new Error(`the run for its memory failed: ${output[2]}`);
  return Number(output[3]) / 1024;
}

/**
 * The slowest of 50 epochs at 0.5 % beside their median: what denormal numbers would show in. The same 50 epochs again
 * and again, the same numbers every time, and of each the fastest: what the machine does beside is not in it.
 */
async function worstEpoch(own: Peer): Promise<number> {
  const best = new Array<number>(50).fill(Number.POSITIVE_INFINITY);
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const order = { do: 'epochs', key: 'sparse_05pct', epochs: best.length };
    const { seconds } = await own.ask<{ seconds: number[] }>(order);
    for (const [epoch, one] of seconds.entries()) best[epoch] = Math.min(best[epoch]!, one);
  }
  return Math.max(...best.slice(1)) / median(best);
}

/** An epoch with other settings beside one of Adam without l1 and l2. */
async function settingsCost(own: Peer, key: string): Promise<Record<string, number>> {
  const kinds = {
    adam: {},
    l1_l2: { l1: 1e-5, l2: 1e-4 },
    sgd: { optimizer: 'sgd', momentum: 0.9, learningRate: 0.1 },
  };
  const seconds = new Map(Object.keys(kinds).map((kind) => [kind, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++)
    for (const [kind, settings] of Object.entries(kinds))
      seconds.get(kind)!.push((await own.ask({ do: 'epoch', key, settings })).seconds!);
  const ratio = (kind: string) => Number((median(seconds.get(kind)!) / median(seconds.get('adam')!)).toFixed(2));
  return { [`${key}_l1_l2_cost`]: ratio('l1_l2'), [`${key}_sgd_cost`]: ratio('sgd') };
}

export async function benchEngine(): Promise<void> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(__dirname, '..'), stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  const say = (line: string) => process.stdout.write(`${line}\n`);
  say(
    `${cpus()[0]!.model}, ${cpus().length} cores, Node ${process.versions.node}; seconds an epoch of 60,000 images, batch 128, Adam, one core:`,
  );
  say('medians (least-most) of 5 interleaved rounds\n');
  const result: Record<string, number> = {};
  try {
    for (const hidden of NETWORKS) {
      const sizes = [784, ...hidden, 10];
      const network = hidden.join('-');
      const prefix = network === '300-100' ? '' : `${network}_`;
      const cases = makeCases(folder, sizes);
      const peers = [ownPeer(), torchPeer(), jaxPeer()];
      const figures = await measure(peers, cases, sizes);
      compareLosses(network, figures);
      for (const name of [...cases.map((one) => one.name), 'evaluation']) {
        const own = figures.get(`${name} own`)!.seconds;
        const shown = peers.flatMap((peer) => {
          const other = figures.get(`${name} ${peer.name}`);
          if (other === undefined) return [];
          if (peer.name !== 'own' && (peer.name === 'torch' || name === 'dense'))
            result[`${prefix}${name}_vs_${peer.name}`] = Number((median(other.seconds) / median(own)).toFixed(2));
          return [`${peer.name} ${spread(other.seconds)}`];
        });
        say(`${network.padEnd(9)} ${name.padEnd(13)} ${shown.join('   ')}`);
      }
      if (network === '300-100') {
        result.worst_epoch_of_50_at_05pct = Number((await worstEpoch(peers[0]!)).toFixed(3));
        for (const key of ['dense', 'sparse_2pct']) Object.assign(result, await settingsCost(peers[0]!, key));
        result.parallel_efficiency = Number((await parallelEfficiency(sizes, cases[0]!)).toFixed(3));
        result.peak_rss_mb = Math.round(peakMegabytes(folder));
      }
      for (const peer of peers) peer.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  say(JSON.stringify(result));
}
