/**
 * `npm run bench -- tfjs [--gpu]`: an epoch of 300-100 with TensorFlow for Node, one network and several in one tensor, beside
 * Keras on the same cores (with --gpu beside PyTorch's vmap on the same GPU) and the wasm engine. The last line is JSON.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { UnavailableError } from '../sweep/errors';
import { median, summarise } from '../sweep/statistics';
import { document } from '../test/fixtures';
import { loadDataset } from '../trainer/data/dataset';
import type { Fit, FitSettings } from '../trainer/engine/engine';
import { TfjsEngine, unwrapped } from '../trainer/engine/tfjs';
import { askTfjs } from '../trainer/engine/tfjs/ask';
import { configureTensorFlow, loadTfjs } from '../trainer/engine/tfjs/binding';
import { WasmEngine } from '../trainer/engine/wasm';
import { initialise } from '../trainer/initialise';
import { networkBytes } from '../trainer/kept';
import { zeroParameters } from '../trainer/network';
import { RandomStream } from '../trainer/random';
import { kerasPeer, type Peer, torchVmapPeer } from './peers/peers';
import { spread } from './statistics';

const ROOT = join(__dirname, '..');
const SIZES = [784, 300, 100, 10];
const ROUNDS = 5;
/** Networks in one tensor. */
const TOGETHER = { cpu: [1, 2, 4, 8, 16], gpu: [1, 8, 32, 128, 256] };
/** A tensor of networks of which half are narrow, and padded to the width of the others; apart, each half is a tensor of its own. */
const [NARROW, PADDED] = [[784, 150, 100, 10], 8];
/** Epochs of a call; the last is timed, as it goes on within a longer training. */
const EPOCHS = 2;
const SETTINGS: FitSettings = {
  ...{ epochs: EPOCHS, batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
};
/** For the accuracies of whole lineages. */
const SPEC = {
  ...{ hiddenWidths: [[300, 100]], pruneRatios: [0, 0.95, 0.99], seeds: 60 },
  ...{ training: { epochs: 6 }, retraining: { epochs: 3 } },
};

const log = (line: string) => process.stdout.write(`${line}\n`);

const images = loadDataset({ name: 'mnist', validation: 0 });

const fitOf = (sizes: readonly number[], seed: number, onEpoch: NonNullable<Fit['onEpoch']>): Fit => ({
  ...{ sizes, settings: SETTINGS },
  start: { parameters: initialise(sizes, seed), first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 },
  order: (epoch) => new RandomStream(seed, 'order', epoch).permutation(images.subsets.train.count),
  onEpoch,
});

/** @returns of the last epoch: seconds of all networks together, and the loss of the first */
function lastEpoch(train: (fits: Fit[]) => void, networks: number, sizes: readonly number[] = SIZES) {
  const ends: number[] = [];
  const losses: number[] = [];
  const fits = Array.from({ length: networks }, (_, place) =>
    fitOf(sizes, place + 1, ({ epoch, loss }) => {
      ends[epoch] = performance.now();
      if (place === 0) losses[epoch] = loss;
    }),
  );
  train(fits);
  return { seconds: (ends[EPOCHS]! - ends[EPOCHS - 1]!) / 1000, loss: losses[EPOCHS]! };
}

/** After the same number of epochs on another order of images: the same to a tenth, or the work is not the same. */
function compareLosses(own: number, theirs: number, peer: string): void {
  if (Math.abs(theirs - own) > 0.1 * own)
    throw new Error(`loss ${own} here and ${theirs} with ${peer}: not the same work`);
}

/** Of each seed, the mean over its ratios, in percentage points: tfjs less wasm. */
function accuracyDifferences(folder: string): number[] {
  const file = join(folder, 'accuracy.yaml');
  writeFileSync(file, stringify(document(SPEC)));
  const [wasm, tfjs] = ['wasm', 'tfjs'].map((engine) => {
    const out = join(folder, engine);
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'dist', 'cli.js'), 'run', file, '--out', out, '--engine', engine],
      {
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(stderr);
    const [header, ...rows] = readFileSync(join(out, 'trials.csv'), 'utf8').trim().split('\n');
    const columns = header!.split(',');
    const [seed, accuracy] = ['seed', 'test_accuracy'].map((name) => columns.indexOf(name));
    const ofSeeds = Map.groupBy(
      rows.map((row) => row.split(',')),
      (fields) => fields[seed!]!,
    );
    return new Map(
      [...ofSeeds].map(([key, trials]) => [key, summarise(trials.map((fields) => Number(fields[accuracy!]))).mean]),
    );
  });
  return [...wasm!].map(([seed, accuracy]) => 100 * (tfjs!.get(seed)! - accuracy));
}

export async function benchTfjs(): Promise<void> {
  const { gpu: wantsGpu } = parseArgs({
    args: process.argv.slice(3),
    options: { gpu: { type: 'boolean', default: false } },
  }).values;
  const { tfjs, whyNone, whyNoGpu } = askTfjs();
  if (tfjs === undefined) throw new UnavailableError(whyNone);
  if (wantsGpu && !tfjs.isOnGpu) throw new UnavailableError(`--gpu: there is no GPU that works: ${whyNoGpu}`);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  // Before TensorFlow is configured: Keras is to have its own settings.
  const peer: Peer = wantsGpu ? torchVmapPeer(SIZES) : kerasPeer();
  configureTensorFlow();
  const counts = TOGETHER[wantsGpu ? 'gpu' : 'cpu'];
  const engine = new TfjsEngine(images, loadTfjs([tfjs.path]).backend().binding);
  const wasm = new WasmEngine(images);
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  try {
    const start = join(folder, 'start.npz');
    writeFileSync(start, networkBytes(initialise(SIZES, 1), SIZES));
    if (!wantsGpu) await peer.ask({ do: 'load', key: 'start', file: start, masked: false });
    const own = new Map<number, number[]>(counts.map((networks) => [networks, []]));
    const theirs = new Map<number, number[]>((wantsGpu ? counts : [1]).map((networks) => [networks, []]));
    const trainTogether = (fits: Fit[]) => engine.fitTogether(fits).forEach(unwrapped);
    const ofWasm: number[] = [];
    const apart: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      for (const networks of counts) {
        const { seconds, loss } = lastEpoch(trainTogether, networks);
        // The first round is not counted.
        if (round > 0) own.get(networks)!.push(seconds / networks);
        const peers = theirs.get(networks);
        if (peers === undefined) continue;
        const their = await peer.ask({ do: 'epoch', key: 'start', networks });
        if (round > 0) peers.push(their.seconds! / networks);
        // A peer goes on from round to round.
        if (round === EPOCHS - 1) compareLosses(loss, their.loss!, peer.name);
      }
      const { seconds } = lastEpoch(([fit]) => void wasm.fit(fit!), 1);
      const halves = [NARROW, SIZES].map((sizes) => lastEpoch(trainTogether, PADDED / 2, sizes).seconds);
      if (round === 0) continue;
      ofWasm.push(seconds);
      apart.push((halves[0]! + halves[1]!) / PADDED);
    }
    const name = wantsGpu ? 'PyTorch vmap' : 'Keras';
    log(`seconds a network and epoch of 300-100, ${wantsGpu ? tfjs.versions.device : `${cpus().length} cores`}`);
    for (const [networks, times] of own) {
      const peers = theirs.get(networks);
      const beside = peers === undefined ? '' : `  ${name} ${spread(peers)}`;
      log(`${String(networks).padStart(4)} in one tensor  ${spread(times)}${beside}`);
    }
    log(`${PADDED / 2}, and ${PADDED / 2} of 150-100 ${spread(apart)}`);
    log(`wasm, one core      ${spread(ofWasm)}`);
    const medians = [...own].map(([, times]) => median(times));
    const [single, best] = [medians[0]!, Math.min(...medians)];
    const differences = accuracyDifferences(folder);
    const { mean: difference, low, high } = summarise(differences);
    log(
      `accuracy of ${differences.length} seeds, tfjs less wasm: ${difference.toFixed(3)} points, ${low!.toFixed(3)} to ${high!.toFixed(3)}`,
    );
    const most = Math.max(...theirs.keys());
    log(
      JSON.stringify({
        batched_vs_single: Number((single / best).toFixed(2)),
        networks_in_the_fastest_tensor: counts[medians.indexOf(best)],
        padded_vs_apart: Number((median(apart) / median(own.get(PADDED)!)).toFixed(2)),
        [wantsGpu ? 'vs_torch_vmap' : 'vs_keras']: Number(
          (median(theirs.get(most)!) / median(own.get(most)!)).toFixed(2),
        ),
        vs_wasm: Number((median(ofWasm) / (wantsGpu ? 1 : cpus().length) / best).toFixed(2)),
        accuracy_difference_points: Number(difference.toFixed(3)),
        accuracy_difference_interval: [Number(low!.toFixed(3)), Number(high!.toFixed(3))],
      }),
    );
  } finally {
    peer.end();
    rmSync(folder, { recursive: true, force: true });
  }
}
