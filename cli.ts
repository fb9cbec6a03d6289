#!/usr/bin/env node
/**
 * The command line. Each command is a file of `cli/`, loaded when it is called: the engine, the store and the server are
 * half a second together. This one says what there is, and turns errors into exit codes.
 */
import './cli/node';
import { basename } from 'node:path';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { NatsOptions } from './bus/nats/connect';
import type { AggregatorOptions } from './cli/aggregator';
import type { ControllerFlags } from './cli/controller';
import { fields } from './cli/fields';
import type { Kubectl } from './cli/kubectl';
import type { RunOptions } from './cli/run';
import { TABLE_FORMATS, type TableFormat, table } from './cli/table';
import type { TrainerOptions } from './cli/trainer';
import { version } from './package.json';
import { USAGE_EXIT } from './sweep/errors';
import { PARTS } from './sweep/packs';
import { ENGINES } from './trainer/engine/choose';
import { KINDS, type Kind } from './trainer/engine/tfjs/install/place';

const integer = (least: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least) throw new InvalidArgumentError(`an integer from ${least} on is needed.`);
  return value;
};

const OTHER_NAMES =
  'names that it answers to, beside addresses, localhost and names of Services: as behind a proxy. Others are refused (DNS rebinding)';

const tableFormat = () =>
  new Option('--format <format>', 'Markdown, CSV, LaTeX (booktabs) or JSON').choices(TABLE_FORMATS).default('md');

const engineOption = (more: string) => new Option('--engine <engine>', `what trains: ${more}`).choices(ENGINES);

interface NatsFlags extends Omit<NatsOptions, 'url'> {
  nats: string;
}

/** Adds the options that say where NATS is and who we are there. */
function withNats(command: Command, what: string, isNeeded: boolean): Command {
  const url = new Option('--nats <url>', `${what}: nats://HOST:PORT or tls://..., several with commas between them`);
  // What works without NATS is not made to use it by what happens to be in the environment.
  return command
    .addOption(isNeeded ? url.env('NATS_URL').makeOptionMandatory() : url)
    .option('--creds <file>', 'credentials file of the NATS user; without it USER:PASSWORD@ in the URL, if any')
    .option('--ca <file>', 'certificate of the authority that the NATS server has its own from')
    .option('--cert <file>', 'own certificate, where NATS wants one')
    .option('--key <file>', 'key of --cert');
}

const natsOf = (url: string, { creds, ca, cert, key }: Omit<NatsOptions, 'url'>): NatsOptions => ({
  url,
  ...(creds === undefined ? {} : { creds }),
  ...(ca === undefined ? {} : { ca }),
  ...(cert === undefined ? {} : { cert }),
  ...(key === undefined ? {} : { key }),
});

const program = new Command('prunesweep')
  .version(version)
  .description('How many weights does a network need, and what does each removed weight cost in accuracy?')
  .exitOverride()
  .showHelpAfterError('(--help says what there is)')
  .addHelpText(
    'after',
    `
A sweep file is YAML:

  apiVersion: prunesweep.dev/v1alpha1
  kind: PruneSweep
  metadata: {name: example}
  spec:
    hiddenWidths: [[300, 100]]              # one network an entry
    pruneRatios: [0, 0.9, 0.99]             # fractions of the weights removed
    remainingWeights: [2657]                # counts that are left, beside or instead of ratios
    seeds: 3
    recipes:
      - {criterion: magnitude, scope: global, recovery: masked, schedule: iterative}
    training: {epochs: 20}

Everything has a default but hiddenWidths and pruneRatios or remainingWeights; \`prunesweep run\` writes the file with
all of them filled in to sweep.yaml. More examples: k8s/samples. Every field: \`prunesweep fields\`.

Exit codes: 0 done, 1 trials failed or verification found problems, 64 wrong usage, 65 wrong sweep file or data,
69 something that is needed is not installed, 74 the disk fails, 130 stopped by ctrl-C.`,
  );

withNats(program.command('run'), 'records and progress travel through NATS as well', false)
  .argument('<file>', 'sweep file')
  .requiredOption('--out <dir>', 'folder for the results; made if it is not there, gone on with if it is')
  .option('--workers <n>', 'worker threads; by default one a core, at most spec.parallelism', integer(1))
  .addOption(
    engineOption('wasm gives the same bytes on every machine; auto is tfjs on a GPU if there is one').default('wasm'),
  )
  .option('--keep-networks', 'keep the network of every trial as networks/TRIAL_ID.npz', false)
  .summary('Run a sweep on this machine.')
  .description(
    `Run a sweep on this machine.

Trains, prunes and retrains every point of the grid, and writes to <dir>:
  sweep.yaml      the sweep as accepted, every default filled in
  ledger.ndjson   the records, each durable before its lineage goes on
  trials.csv      one row a trial; trials.parquet: histograms of weights too
  table.csv       one row a cell, with mean and interval; table.md for people
  costs.csv       seconds, workers, versions: what differs from run to run
  networks/       with --keep-networks

The results are the same bytes for any number of workers. Stopped or killed at any moment, the same command goes on where it was; with a grown grid it runs what is missing. With --nats, what others have recorded of the sweep is not run again, and an aggregator there shows this run like any other.`,
  )
  .action(async (file: string, { nats, ...options }: Omit<RunOptions, 'nats'> & Partial<NatsFlags>) => {
    const { run } = require('./cli/run') as typeof import('./cli/run');
    process.exitCode = await run(file, { ...options, ...(nats === undefined ? {} : { nats: natsOf(nats, options) }) });
  });

withNats(program.command('trainer'), 'where records and progress go', true)
  .requiredOption('--sweep <file>', 'sweep file')
  .addOption(
    new Option(
      '--pack <i>',
      'which pack of the sweep to work on, 0 for the first; `prunesweep plan` says how many there are',
    )
      .argParser(integer(0))
      .env('JOB_COMPLETION_INDEX')
      .makeOptionMandatory(),
  )
  .addOption(
    new Option(
      '--part <part>',
      'what of the pack to do: dense trains the dense networks and leaves each as a checkpoint; pruned goes on from there',
    ).choices(PARTS),
  )
  .option('--workers <n>', 'worker threads, each with a lineage of the pack at a time', integer(1), 1)
  .addOption(engineOption("by default wasm, or with accelerator: gpu in the sweep's template tfjs on a GPU"))
  .summary('Work on one pack of a sweep: what pods do.')
  .description(
    `Work on one pack of a sweep: what pods do.

Asks the ledger in NATS which trials of the pack are recorded and does the rest. A lineage that was begun, here or elsewhere, goes on from its last checkpoint in the object store. Each record is acknowledged before its lineage goes on; while NATS is slow or away up to 16 records wait in memory, each holding training up longer, and the log says so.`,
  )
  .action(async (options: Omit<TrainerOptions, 'nats'> & NatsFlags) => {
    const { trainer } = require('./cli/trainer') as typeof import('./cli/trainer');
    process.exitCode = await trainer({ ...options, nats: natsOf(options.nats, options) });
  });

withNats(program.command('aggregator'), 'where records and progress come from', true)
  .requiredOption('--store <dir>', 'folder of the store, sweeps.duckdb; it can be deleted, and is then made again')
  .option('--http <address>', 'HOST:PORT to serve at; :PORT for every address of this machine', '127.0.0.1:8080')
  .option('--host <name...>', OTHER_NAMES, [])
  .option(
    '--through-api-server',
    'answer also to what the API server of Kubernetes passes on, whatever name that has: for kubectl',
    false,
  )
  .option('--sweep <file...>', 'sweep files to show; those that trainers work on are shown anyway')
  .option('--replicas <n>', 'how many servers of a NATS cluster keep each message', integer(1), 1)
  .summary('Fold the records of all sweeps into their tables, and serve them over HTTP.')
  .description(
    `Fold the records of all sweeps into their tables, and serve them over HTTP.

Makes the streams in NATS that are missing. /openapi.json says what there is: sweeps and their status, tables as JSON, CSV, Markdown and LaTeX, trials, trials.parquet, live events, /metrics, /readyz. The store is a DuckDB file; whatever becomes of it, it is made again from the ledger.`,
  )
  .action(async (options: Omit<AggregatorOptions, 'sweep' | 'nats'> & { sweep?: string[] } & NatsFlags) => {
    const { aggregator } = require('./cli/aggregator') as typeof import('./cli/aggregator');
    await aggregator({ ...options, sweep: options.sweep ?? [], nats: natsOf(options.nats, options) });
  });

withNats(program.command('controller'), 'where sweeps are made known', true)
  .requiredOption('--aggregator <url>', 'where the aggregator serves, http://HOST:PORT')
  .option('--image <image>', 'image of the pods that train; by default that of its own pod, POD_NAME')
  .option('--namespace <name>', 'whose PruneSweeps; by default that of its own pod, or of the kubeconfig')
  .option(
    '--trainer-secret <name>',
    'Secret with the key url: where trainers find NATS, and who they are there',
    'prunesweep-trainer',
  )
  .option('--trainer-authority', 'the Secret has a ca.crt too, the authority of the certificate of NATS', false)
  .option(
    '--gpu-pods <yaml>',
    'of pods with a GPU: the image with TensorFlow in it; nodeSelector and tolerations, as in a pod, of those whose sweep gives none: {image: ..., nodeSelector: {...}, tolerations: [...]}',
    '{}',
  )
  .option('--trainer-account <name>', 'service account of the pods that train; they get no token', 'prunesweep-trainer')
  .option('--http <address>', 'HOST:PORT for /metrics and /healthz; :PORT for every address', '127.0.0.1:8081')
  .summary('Carry out the PruneSweeps of a namespace: what the cluster runs.')
  .description(
    `Carry out the PruneSweeps of a namespace: what the cluster runs, once or several times.

Turns each PruneSweep into one ConfigMap and one Indexed Job (with retrainOn: cpu two of each), and keeps its status true. Of several controllers one leads, and another takes over some ten seconds after its death. The cluster is that of the pod, or of KUBECONFIG.`,
  )
  .action(async (options: Omit<ControllerFlags, 'nats'> & NatsFlags) => {
    const { controller } = require('./cli/controller') as typeof import('./cli/controller');
    await controller({ ...options, nats: natsOf(options.nats, options) });
  });

program
  .command('plan')
  .argument('<file>', 'sweep file')
  .option('--json', 'as JSON', false)
  .summary('Say what a sweep would do, and how long it would take here.')
  .description(
    'Say what a sweep would do: networks and their weights, lineages (dense networks), trials, packs, the time that it takes on this machine, from a short measurement, what its pods would ask for in a cluster, and of a sweep with accelerator: gpu which parts cost less on GPUs than on cores. Nothing is run.',
  )
  .action((file: string, options: { json: boolean }) => {
    const { plan } = require('./cli/plan') as typeof import('./cli/plan');
    plan(file, options);
  });

program
  .command('table')
  .argument('<dir>', 'folder of a run, finished or not')
  .addOption(
    new Option('--format <format>', 'Markdown, CSV, LaTeX (booktabs), JSON, or a page of the whole sweep as one file')
      .choices([...TABLE_FORMATS, 'html'])
      .default('md'),
  )
  .description('Print the comparison table: test accuracy against remaining weights.')
  .action((folder: string, options: { format: TableFormat }) => {
    table(folder, options.format);
  });

program
  .command('serve')
  .argument('<dir...>', 'folders of runs, finished or at work')
  .option('--http <address>', 'HOST:PORT to serve at; :PORT for every address of this machine', '127.0.0.1:8080')
  .option('--host <name...>', OTHER_NAMES, [])
  .summary('Show runs of this machine in a browser, live.')
  .description(
    'Show runs of this machine in a browser, live: the comparison table, the curve of accuracy against remaining weights, every trial. Reads the folders and changes nothing in them. /openapi.json says what there is for programs.',
  )
  .action(async (folders: string[], options: { http: string; host: string[] }) => {
    const { serve } = require('./cli/serve') as typeof import('./cli/serve');
    await serve(folders, options);
  });

program
  .command('figures')
  .argument('<dir>', 'folder of a run, finished or not')
  .summary('Draw the figures that the records of a folder allow.')
  .description(
    'Draw the figures that the records of a folder allow: <dir>/figures/NAME-89mm and NAME-183mm as .svg and .png, and NAME.csv, the numbers that they are drawn from. Those that cannot be made are named, with what to run for them. Nothing is trained.',
  )
  .action(async (folder: string) => {
    const { figures } = require('./cli/figures') as typeof import('./cli/figures');
    await figures(folder);
  });

program
  .command('claims')
  .argument('<dir>', 'folder of a run, finished or not')
  .summary("Judge the papers' claims by the records of a folder.")
  .description(
    "Judge the papers' claims by the records of a folder: <dir>/claims.md and claims.json say of each claim its rule, estimate, 95 % interval, n, the published number, and whether it is reproduced, refuted or inconclusive, at a level of 5 % over all of them (Holm). Those that cannot be judged are named, with what to run for them.",
  )
  .action((folder: string) => {
    const { claims } = require('./cli/claims') as typeof import('./cli/claims');
    claims(folder);
  });

program
  .command('verify')
  .argument('<dir>', 'folder of a run')
  .summary('Check that a folder holds what its records add up to.')
  .description(
    'Check a folder: each trial of the grid has exactly one record, ids and checksums match contents, every table is what the records add up to; kept networks are evaluated again and compared with their records to the last image.',
  )
  .action(async (folder: string) => {
    const { verify } = require('./cli/verify') as typeof import('./cli/verify');
    process.exitCode = await verify(folder);
  });

program
  .command('tfjs')
  .addArgument(new Argument('[kind]', 'for processors or for GPUs of NVIDIA').choices(KINDS).default('cpu'))
  .summary('Get what the tfjs engine runs on.')
  .description(
    `Get what the tfjs engine runs on: TensorFlow for Node, into the cache folder of the user. Needs npm and, where its makers' own download is refused, Python 3 with pip and a C++ compiler (Linux on x86-64). cpu takes half a minute and 0.7 GB; gpu brings CUDA along, needs a driver of NVIDIA alone, and takes 5 GB. Without it everything but \`--engine tfjs\` works.`,
  )
  .action(async (kind: Kind) => {
    const { tfjs } = require('./cli/tfjs') as typeof import('./cli/tfjs');
    await tfjs(kind);
  });

program
  .command('fields')
  .description('Print every field of a sweep file with its meaning, its limits and its default.')
  .action(fields);

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT;
  const { exitCode, message, stack } = error as Error & { exitCode?: number };
  // An error without an exit code is a fault of this program: its place is worth more than a tidy line.
  process.stderr.write(`${exitCode === undefined ? stack : message}\n`);
  return exitCode ?? 70;
}

/** kubectl finds a program of this name in PATH and calls it for `kubectl prunesweep`. */
const PLUGIN = 'kubectl-prunesweep';

const plugin = new Command('kubectl prunesweep')
  .version(version)
  .description('Sweeps of a cluster: their tables, plans, status and logs, asked through the API server.')
  .option('-n, --namespace <name>', 'whose sweeps; by default that of the context')
  .option('--context <name>', 'context of the kubeconfig')
  .option('--kubeconfig <file>', 'by default KUBECONFIG, else ~/.kube/config')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 64 wrong usage, 65 there is no such sweep, or the cluster does not answer or refuses.',
  )
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .showHelpAfterError('(--help says what there is)');

const kubectl = (): Kubectl => new (require('./cli/kubectl') as typeof import('./cli/kubectl')).Kubectl(plugin.opts());

plugin
  .command('table <name>')
  .addOption(tableFormat())
  .description('Print the comparison table as it stands: test accuracy against remaining weights.')
  .action((name: string, { format }: { format: TableFormat }) => kubectl().table(name, format));
plugin
  .command('plan <name>')
  .description('Say what the sweep does: networks and their weights, lineages, trials, packs.')
  .action((name: string) => kubectl().plan(name));
plugin
  .command('status <name>')
  .description('Say how far it is, what holds it up, and which trials failed why.')
  .action((name: string) => kubectl().status(name));
plugin
  .command('logs <name>')
  .option('--pack <i>', 'of the pods of one pack', integer(0))
  .option('--pods <n>', 'of so many pods, those that failed first', integer(1), 10)
  .description('Print the logs of its pods: lines to read on a terminal, JSON in a pipe.')
  .action((name: string, { pack, pods }: { pack?: number; pods: number }) => kubectl().logs(name, pack, pods));
plugin
  .command('retry <name>')
  .description('Try again what has no record: trials whose pods failed, or whose records were lost.')
  .action((name: string) => kubectl().retry(name));

// A reader that has seen enough, such as head, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const called = basename(process.argv[1] ?? '').replace(/\.js$/, '');
(called === PLUGIN ? plugin : program).parseAsync().catch((error: unknown) => {
  process.exitCode = exitCodeOf(error);
});
