/**
 * A throw-away Kubernetes of processes, the tests' own: `npm run cluster -- up | status | down`. A process of its own keeps
 * it; when that ends, in whatever way, all of the cluster ends, and its folder goes.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { writeImages } from '../../k8s/images';
import { obtainNats } from '../obtain';
import { isAlive } from '../process';
import { inTemporaryFolder } from '../source';
import { outcomeOf } from './controlplane';
import { obtainKubernetes } from './obtain';
import { RealCluster } from './realcluster';
import { obtainTools, whyNoNode } from './tools';

const ROOT = resolve(__dirname, '../../..');

interface Kept {
  /** Of the keeper. */
  pid: number;
  kubectl: string;
  kubeconfig: string;
  /** A line of shell: what it is put before runs in the cluster's network. */
  enter: string;
  /** Of all parts, by their names. */
  parts: Record<string, number>;
}

const keptIn = (folder: string) => join(folder, 'cluster.json');
const readKept = (folder: string): Kept | undefined =>
  existsSync(keptIn(folder)) ? (JSON.parse(readFileSync(keptIn(folder), 'utf8')) as Kept) : undefined;

const quoted = (word: string) => (/^[\w./:=-]+$/.test(word) ? word : `'${word}'`);

function usage({ kubeconfig, kubectl, enter }: Kept, folder: string): string {
  return [
    `export KUBECONFIG=${kubeconfig}`,
    `alias kubectl=${quoted(kubectl)}`,
    'kubectl get nodes',
    '',
    'A shell in its network, where Services have their names, such as web.default.svc.cluster.local:',
    `${enter} bash`,
    '',
    `Its end: npm run cluster -- down --folder ${folder}`,
  ].join('\n');
}

async function up(folder: string, images: readonly string[]): Promise<void> {
  const why = whyNoNode();
  if (why !== undefined) throw new Error(`there can be no cluster: ${why}`);
  if (existsSync(folder))
    throw new Error(`--folder ${folder}: is there already; end its cluster with down, or choose another`);
  const keeper: ChildProcess = fork(__filename, ['keep', folder, ...images.map((image) => resolve(image))], {
    cwd: ROOT,
    detached: true,
    execArgv: ['--require', 'ts-node/register'],
    // It outlives this process, and whoever reads what this one says.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await new Promise<void>((done, fail) => {
    keeper.on('message', ({ said, failed, isUp }: Message) => {
      if (said !== undefined) process.stderr.write(`${said}\n`);
      if (failed !== undefined) fail(new Error(`no cluster: ${failed}`));
      if (isUp) done();
    });
    keeper.once('exit', () => fail(new Error('no cluster: the process that keeps it has ended')));
  });
  keeper.disconnect();
  keeper.unref();
  process.stdout.write(`${usage(readKept(folder)!, folder)}\n`);
}

/** From the keeper, until the cluster is up. */
interface Message {
  said?: string;
  failed?: string;
  isUp?: true;
}
const tell = (message: Message) => new Promise((done) => process.send!(message, done));

/** What `up` leaves running. */
async function keep(folder: string, given: readonly string[]): Promise<void> {
  const ended = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  const say = (said: string) => void tell({ said });
  try {
    const programs = await obtainKubernetes(say);
    const tools = await obtainTools(say);
    const cluster = await inTemporaryFolder(async (place) => {
      const images = given.length > 0 ? given : await writeImages(place, await obtainNats(say));
      return RealCluster.start(programs, tools, { folder, images });
    });
    const kept: Kept = {
      pid: process.pid,
      kubectl: programs.kubectl,
      kubeconfig: cluster.plane.kubeconfig,
      enter: cluster.enter().map(quoted).join(' '),
      parts: { ...cluster.plane.pids, ...cluster.pids },
    };
    writeFileSync(keptIn(folder), JSON.stringify(kept));
    await tell({ isUp: true });
    await ended;
    await cluster.stop();
  } catch (error) {
    await tell({ failed: (error as Error).message });
  }
  process.exit();
}

async function status(folder: string): Promise<void> {
  const kept = readKept(folder);
  if (kept === undefined) throw new Error(`--folder ${folder}: no cluster is there; up makes one`);
  for (const [name, pid] of Object.entries(kept.parts))
    process.stdout.write(`${name.padEnd(24)} ${isAlive(pid) ? `runs, pid ${pid}` : 'has ended'}\n`);
  const asked = ['get', 'nodes,pods', '--all-namespaces', '--request-timeout=10s'];
  const { stdout, stderr } = await outcomeOf(kept.kubectl, asked, '', {
    ...process.env,
    KUBECONFIG: kept.kubeconfig,
  });
  process.stdout.write(`\n${stdout}${stderr}\n${usage(kept, folder)}\n`);
}

async function down(folder: string): Promise<void> {
  const kept = readKept(folder);
  if (kept === undefined) throw new Error(`--folder ${folder}: no cluster is there`);
  if (isAlive(kept.pid)) process.kill(kept.pid, 'SIGTERM');
  while (existsSync(folder) || isAlive(kept.pid)) await sleep(50);
}

const program = new Command('cluster').description('a throw-away Kubernetes of processes; needs Linux and root');
const FOLDER = ['--folder <dir>', 'what the cluster writes', join(tmpdir(), 'prunesweep-cluster')] as const;
const IMAGE = [
  '--image <archive>',
  'OCI archive for its pods, may be given again; without it those of prunesweep and NATS',
] as const;
const also = (image: string, images: string[]) => [...images, image];
type Options = { folder: string; image: string[] };
program
  .command('up')
  .description('starts it, and says how to use it')
  .option(...FOLDER)
  .option(...IMAGE, also, [])
  .action((options: Options) => up(resolve(options.folder), options.image));
program
  .command('status')
  .description('says what runs')
  .option(...FOLDER)
  .action((options: Options) => status(resolve(options.folder)));
program
  .command('down')
  .description('ends it, and leaves nothing')
  .option(...FOLDER)
  .action((options: Options) => down(resolve(options.folder)));
program
  .command('keep <folder> [images...]', { hidden: true })
  .action((folder: string, images: string[]) => keep(folder, images));

program.parseAsync().then(
  () => process.exit(),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
