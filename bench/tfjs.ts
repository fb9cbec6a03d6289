/**
 * `npm run bench -- tfjs [--gpu]`: an epoch of 300-100 with TensorFlow for Node, one network and several in one tensor, beside
 * Keras on the same cores (with --gpu beside PyTorch's vmap on the same GPU) and the wasm engine. The last line is JSON.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';

import { median, summarise } from '../sweep/statistics';
import { document } from '../test/fixtures';
import { loadDataset } from '../trainer/data/dataset';
import type { Fit, FitSettings } from '../trainer/engine/engine';
import { TfjsEngine, unwrapped } from '../trainer/engine/tfjs';
import { askTfjs } from '../trainer/engine/tfjs/ask';
import { loadTfjs, quietTensorFlow } from '../trainer/engine/tfjs/binding';
import { WasmEngine } from '../trainer/engine/wasm';
import { initialise } from '../trainer/initialise';
import { networkBytes } from '../trainer/kept';
import { zeroParameters } from '../trainer/network';
import { RandomStream } from '../trainer/random';
import { kerasPeer, type Peer, torchVmapPeer } from './peers/peers';
import { spread } from './statistics';

const CLI = join(__dirname, '..', 'dist', 'cli.js');
const SIZES = [784, 300, 100, 10];
const ROUNDS = 5;
/** Networks in one tensor. */
const TOGETHER = { cpu: [1, 2, 4, 8, 16], gpu: [1, 8, 32, 128, 256] };
/** Epochs of a call; the last is timed, as it goes on within a longer training. */
const EPOCHS = 2;
const SETTINGS: FitSettings = {
  ...{ epochs: EPOCHS, batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
};
/** For the accuracies of whole lineages. */
const SPEC = {
  ...{ hiddenWidths: [[300, 100]], pruneRatios: [0, 0.95, 0.99], seeds: 5 },
  ...{ training: { epochs: 6 }, retraining: { epochs: 3 } },
};

const log = (line: string) => process.stdout.write(`${line}\n`);

const images = loadDataset({ name: 'mnist', validation: 0 });

const fitOf = (seed: number, tell: (epoch: number) => void): Fit => ({
  ...{ sizes: SIZES, settings: SETTINGS },
  start: { parameters: initialise(SIZES, seed), first: zeroParameters(SIZES), second: zeroParameters(SIZES), epoch: 0 },
  order: (epoch) => new RandomStream(seed, 'order', epoch).permutation(images.subsets.train.count),
  onEpoch: ({ epoch }) => tell(epoch),
});

/** @returns seconds of the last epoch, of all networks together */
function seconds(train: (fits: Fit[]) => void, networks: number): number {
  const ends: number[] = [];
  const fits = Array.from({ length: networks }, (_, seed) =>
    fitOf(seed + 1, (epoch) => {
      ends[epoch] = performance.now();
    }),
  );
  train(fits);
  return (ends[EPOCHS]! - ends[EPOCHS - 1]!) / 1000;
}

/** Of all trials that are pruned, in percentage points: tfjs less wasm, of the same seed. */
function accuracyDifferences(folder: string): number[] {
  const file = join(folder, 'accuracy.yaml');
  writeFileSync(file, stringify(document(SPEC)));
  const [wasm, tfjs] = ['wasm', 'tfjs'].map((engine) => {
    const out = join(folder, engine);
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'run', file, '--out', out, '--engine', engine], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    const [header, ...rows] = readFileSync(join(out, 'trials.csv'), 'utf8').trim().split('\n');
    const columns = header!.split(',');
    const [seed, ratio, accuracy] = ['seed', 'prune_ratio', 'test_accuracy'].map((name) => columns.indexOf(name));
    return new Map(
      rows.map((row) => {
        const fields = row.split(',');
        return [`${fields[seed!]} ${fields[ratio!]}`, Number(fields[accuracy!])];
      }),
    );
  });
  return [...wasm!].map(([trial, accuracy]) => 100 * (tfjs!.get(trial)! - accuracy));
}

export async function benchTfjs(): Promise<void> {
  const wantsGpu = process.argv.includes('--gpu');
  const { tfjs, whyNone, whyNoGpu } = askTfjs();
  if (tfjs === undefined) throw new Error(whyNone);
  if (wantsGpu && !tfjs.isOnGpu) throw new Error(`--gpu: there is no GPU that works: ${whyNoGpu}`);
  quietTensorFlow();
  const together = TOGETHER[wantsGpu ? 'gpu' : 'cpu'];
  const engine = new TfjsEngine(images, loadTfjs([tfjs.path]).backend().binding);
  const wasm = new WasmEngine(images);
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  const peer: Peer = wantsGpu ? torchVmapPeer(SIZES) : kerasPeer();
  try {
    const start = join(folder, 'start.npz');
    writeFileSync(start, networkBytes(initialise(SIZES, 1), SIZES));
    if (!wantsGpu) await peer.ask({ do: 'load', key: 'start', file: start, masked: false });
    const peerSeconds = async (networks: number) => (await peer.ask({ do: 'epoch', key: 'start', networks })).seconds!;
    const own = new Map<number, number[]>(together.map((networks) => [networks, []]));
    const theirs = new Map<number, number[]>((wantsGpu ? together : [1]).map((networks) => [networks, []]));
    const ofWasm: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      for (const networks of together) {
        const took = seconds((fits) => engine.fitTogether(fits).forEach(unwrapped), networks) / networks;
        // The first round is not counted.
        if (round > 0) own.get(networks)!.push(took);
        const peers = theirs.get(networks);
        if (peers === undefined) continue;
        const peerTook = (await peerSeconds(networks)) / networks;
        if (round > 0) peers.push(peerTook);
      }
      const took = seconds(([fit]) => void wasm.fit(fit!), 1);
      if (round > 0) ofWasm.push(took);
    }
    const name = wantsGpu ? 'PyTorch vmap' : 'Keras';
    log(`seconds a network and epoch of 300-100, ${wantsGpu ? tfjs.versions.device : `${cpus().length} cores`}`);
    for (const [networks, times] of own) {
      const peers = theirs.get(networks);
      const beside = peers === undefined ? '' : `  ${name} ${spread(peers)}`;
      log(`${String(networks).padStart(4)} in one tensor  ${spread(times)}${beside}`);
    }
    log(`wasm, one core      ${spread(ofWasm)}`);
    const medians = [...own].map(([, times]) => median(times));
    const [single, best] = [medians[0]!, Math.min(...medians)];
    const differences = accuracyDifferences(folder);
    const { mean, low, high } = summarise(differences);
    log(
      `accuracy of ${differences.length} trials, tfjs less wasm: ${mean.toFixed(3)} points, ${low!.toFixed(3)} to ${high!.toFixed(3)}`,
    );
    const most = Math.max(...theirs.keys());
    log(
      JSON.stringify({
        batched_vs_single: Number((single / best).toFixed(2)),
        networks_in_the_fastest_tensor: together[medians.indexOf(best)],
        [wantsGpu ? 'vs_torch_vmap' : 'vs_keras']: Number(
          (median(theirs.get(most)!) / median(own.get(most)!)).toFixed(2),
        ),
        vs_wasm: Number((median(ofWasm) / (wantsGpu ? 1 : cpus().length) / best).toFixed(2)),
        accuracy_difference_points: Number(mean.toFixed(3)),
        accuracy_difference_interval: [Number(low!.toFixed(3)), Number(high!.toFixed(3))],
      }),
    );
  } finally {
    peer.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
