/**
 * `npm run bench -- sweep`: a cut of article.yaml as the command line runs it, beside two PyTorch programs on as many
 * cores: one that runs each trial by itself, and one that shares dense training and the chain of ratios as we do.
 * Accuracies are compared, so that all do the same work. The last line is JSON: how many times faster, by the clock.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { median } from '../sweep/statistics';
import { RandomStream } from '../trainer/random';
import { torchSweep } from './peers/peers';
import { spread } from './statistics';

const ROOT = join(__dirname, '..');
const WIDTHS = [
  [150, 100],
  [300, 100],
];
const RATIOS = [0.5, 0.9, 0.95, 0.98, 0.99, 0.995];
const SEEDS = [1, 2];
const WORKERS = Math.min(2, cpus().length);
/** Of our own, spread over the others' runs. */
const RUNS = 3;
/** Trials of each network that the naive program runs: its seconds an epoch, times the epochs of all, are its total. */
const SAMPLED = 2;

interface Trial {
  widths: number[];
  seed: number;
  recipe: string;
  ratio: number;
}
interface Measured extends Trial {
  accuracy: number;
}
interface Outcome extends Measured {
  seconds: number;
}

interface Cut {
  spec: {
    training: { epochs: number; learningRate: number };
    retraining: { epochs: number; learningRateFactor: number };
    recipes: { recovery: string }[];
  };
}

/** article.yaml with fewer networks, ratios and seeds. */
function cutOfArticle(): Cut & Record<string, unknown> {
  const article = parse(readFileSync(join(ROOT, 'k8s', 'samples', 'article.yaml'), 'utf8'));
  const { remainingWeights: _, ...spec } = article.spec;
  return {
    ...article,
    metadata: { name: 'cut' },
    spec: { ...spec, hiddenWidths: WIDTHS, pruneRatios: RATIOS, seeds: SEEDS },
  };
}

/** Runs the command line on the cut. */
function runOwn(folder: string, cut: object, run: number): { seconds: number; outcomes: Measured[]; hash: string } {
  const [file, out] = [join(folder, 'cut.yaml'), join(folder, `out${run}`)];
  writeFileSync(file, stringify(cut));
  const began = performance.now();
  const cli = [join(ROOT, 'dist', 'cli.js'), 'run', file, '--out', out, '--workers', String(WORKERS)];
  execFileSync(process.execPath, cli, { stdio: 'ignore' });
  const seconds = (performance.now() - began) / 1000;
  const csv = readFileSync(join(out, 'trials.csv'), 'utf8');
  const [header, ...lines] = csv
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  const field = (line: string[], name: string) => line[header!.indexOf(name)]!;
  const outcomes = lines.map((line) => ({
    widths: field(line, 'network').split('-').map(Number),
    seed: Number(field(line, 'seed')),
    recipe: field(line, 'recovery'),
    ratio: Number(field(line, 'prune_ratio')),
    accuracy: Number(field(line, 'test_accuracy')),
  }));
  return { seconds, outcomes, hash: createHash('sha256').update(csv).digest('hex') };
}

const nameOf = ({ widths, recipe, ratio }: Trial) => `${widths.join('-')} ${recipe} ${ratio}`;

/** PyTorch on its share of the trials, one process a core; each trial's outcome and the seconds until the last is done. */
async function runTorch(
  mode: 'naive' | 'shared',
  cut: Cut,
  shares: Trial[][],
): Promise<{ seconds: number; outcomes: Outcome[] }> {
  const { training, retraining, recipes } = cut.spec;
  const sweep = {
    ...{ epochs: training.epochs, learningRate: training.learningRate },
    ...{ retrainingEpochs: retraining.epochs, learningRateFactor: retraining.learningRateFactor },
    ...{ ratios: RATIOS, recipes: recipes.map(({ recovery }) => recovery) },
  };
  const began = performance.now();
  const outcomes = await Promise.all(shares.map((trials) => torchSweep<Outcome>(mode, { ...sweep, trials })));
  return { seconds: (performance.now() - began) / 1000, outcomes: outcomes.flat() };
}

/** Accuracies of the same cells: means over the seeds that both have, and they may differ by chance alone. */
function compareAccuracies(who: string, own: Measured[], theirs: Measured[]): void {
  const differences: number[] = [];
  for (const name of new Set(theirs.map(nameOf))) {
    const mean = (outcomes: Measured[]) => {
      const cell = outcomes.filter((outcome) => nameOf(outcome) === name).map(({ accuracy }) => accuracy);
      return cell.reduce((sum, accuracy) => sum + accuracy, 0) / cell.length;
    };
    differences.push(mean(theirs) - mean(own));
    process.stdout.write(
      `  ${who} ${name}: ${(100 * mean(theirs)).toFixed(2)} %, ours ${(100 * mean(own)).toFixed(2)} %\n`,
    );
  }
  if (!(Math.abs(median(differences)) < 0.01 && Math.max(...differences.map(Math.abs)) < 0.15))
    throw new Error(`${who} reaches other accuracies: not the same work`);
}

const TRIALS: Trial[] = WIDTHS.flatMap((widths) =>
  SEEDS.flatMap((seed) =>
    ['masked', 'regrow'].flatMap((recipe) => RATIOS.map((ratio) => ({ widths, seed, recipe, ratio }))),
  ),
);

/** Every WORKERSth item from each place on. */
const shared = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: WORKERS }, (_, worker) => items.filter((_, i) => i % WORKERS === worker));

export async function benchSweep(): Promise<void> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const cut = cutOfArticle();
  const epochsOf = ({ ratio }: Trial) =>
    cut.spec.training.epochs + (RATIOS.indexOf(ratio) + 1) * cut.spec.retraining.epochs;
  const epochs = (trials: readonly Trial[]) => trials.reduce((sum, trial) => sum + epochsOf(trial), 0);
  try {
    say(
      `${cpus()[0]!.model}, ${WORKERS} cores: ${TRIALS.length} trials of ${WIDTHS.map((w) => w.join('-')).join(', ')}`,
    );
    const runs = [runOwn(folder, cut, 1)];

    const networks = WIDTHS.map((widths) => TRIALS.filter((trial) => trial.widths === widths));
    const samples = networks.map((trials) =>
      [
        ...new RandomStream(1, 'sample', trials[0]!.widths.join('-')).permutation(trials.length).subarray(0, SAMPLED),
      ].map((index) => trials[index]!),
    );
    const naive = await runTorch('naive', cut, shared(samples.flat()));
    const naiveSeconds = networks.reduce((sum, trials, network) => {
      const ran = naive.outcomes.filter(({ widths }) => widths.join() === WIDTHS[network]!.join());
      const perEpoch = ran.reduce((total, { seconds }) => total + seconds, 0) / epochs(ran);
      return sum + (perEpoch * epochs(trials)) / WORKERS;
    }, 0);

    runs.push(runOwn(folder, cut, 2));
    const chains = WIDTHS.flatMap((widths) => SEEDS.map((seed) => ({ widths, seed, recipe: '', ratio: 0 })));
    const together = await runTorch(
      'shared',
      cut,
      [...Array(WORKERS).keys()].map((worker) => chains.filter(({ seed }) => SEEDS.indexOf(seed) % WORKERS === worker)),
    );
    while (runs.length < RUNS) runs.push(runOwn(folder, cut, runs.length + 1));

    if (new Set(runs.map(({ hash }) => hash)).size > 1) throw new Error('two of our runs left different records');
    const own = runs[0]!.outcomes;
    compareAccuracies('naive', own, naive.outcomes);
    compareAccuracies('shared', own, together.outcomes);
    const seconds = runs.map((run) => run.seconds);
    say(`ours ${spread(seconds, 1)} s, with all it measures and writes; records ${runs[0]!.hash.slice(0, 16)}`);
    say(
      `PyTorch, each trial by itself: ${naiveSeconds.toFixed(0)} s, extrapolated from ${naive.outcomes.length} of ${TRIALS.length} trials (${naive.seconds.toFixed(0)} s) by their epochs`,
    );
    say(`PyTorch, sharing dense training and chains: ${together.seconds.toFixed(0)} s`);
    say(
      JSON.stringify({
        sweep_vs_naive: Number((naiveSeconds / median(seconds)).toFixed(2)),
        sweep_vs_shared: Number((together.seconds / median(seconds)).toFixed(2)),
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
