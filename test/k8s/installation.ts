/** The quickstart overlay on a real node, with the real images: what kubectl installs, runs, and answers with. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { SWEEP_LABEL } from '../../controller/kubernetes/names';
import type { PruneSweep } from '../../controller/kubernetes/resource';
import { prunesweep } from '../cli/prunesweep';
import { document } from '../fixtures';
import type { RealCluster, RealClusterOptions } from '../servers/kubernetes/realcluster';
import { writeImages } from './images';

export const ROOT = resolve(__dirname, '../..');
export const NAMESPACE = 'prunesweep';
const AGGREGATOR = `/api/v1/namespaces/${NAMESPACE}/services/prunesweep-aggregator:http/proxy`;

const RESULTS = ['trials.csv', 'table.csv', 'table.md'] as const;
/** The texts of a sweep's files that must be the same bytes wherever it ran. */
export type Results = Record<(typeof RESULTS)[number], string>;

/** Starts a cluster: RealCluster.start with the programs that the caller has. */
type Start = (options: RealClusterOptions) => Promise<RealCluster>;

export class Installation {
  private constructor(
    /** Of this machine, for files of the tests. */
    readonly folder: string,
    readonly cluster: RealCluster,
  ) {}

  /**
   * @param nats path of a nats-server
   * @returns when the controller, the aggregator and NATS are ready
   */
  static async start(start: Start, nats: string, options: RealClusterOptions = {}): Promise<Installation> {
    const folder = mkdtempSync(join(tmpdir(), 'prunesweep-pods-'));
    const cluster = await start({ ...options, images: await writeImages(folder, nats) });
    const installation = new Installation(folder, cluster);
    const { kubectl } = installation;
    symlinkSync(join(ROOT, 'dist/cli.js'), installation.pluginPath);
    await kubectl(['apply', '-k', join(ROOT, 'k8s/overlays/quickstart')]);
    await kubectl(['wait', '--for=condition=Established', 'crd/prunesweeps.prunesweep.dev', '--timeout=60s']);
    await installation.untilReady();
    return installation;
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** In the installation's namespace. */
  readonly kubectl = async (args: readonly string[], stdin = ''): Promise<string> => {
    const { code, stdout, stderr } = await this.cluster.kubectl(['--namespace', NAMESPACE, ...args], { stdin });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };

  private get pluginPath(): string {
    return join(this.folder, 'kubectl-prunesweep');
  }

  /** `kubectl prunesweep ARGS`. */
  async plugin(args: readonly string[]): Promise<string> {
    const all = [this.pluginPath, ...args, '--namespace', NAMESPACE];
    const { code, stdout, stderr } = await this.cluster.exec(process.execPath, all);
    if (code !== 0) throw new Error(`kubectl prunesweep ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async untilReady(): Promise<void> {
    await this.kubectl(['rollout', 'status', 'statefulset/nats', '--timeout=120s']);
    for (const name of ['prunesweep-aggregator', 'prunesweep-controller'])
      await this.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=120s']);
  }

  async apply(spec: object, name: string): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], stringify(document(spec, name)));
  }

  async untilComplete(name: string, seconds = 240): Promise<void> {
    await this.kubectl(['wait', '--for=condition=Complete', `psw/${name}`, `--timeout=${seconds}s`]);
  }

  async sweep(name: string): Promise<PruneSweep> {
    return JSON.parse(await this.kubectl(['get', 'psw', name, '-o', 'json']));
  }

  async podsOf(sweep: string): Promise<V1Pod[]> {
    return JSON.parse(await this.kubectl(['get', 'pods', '-l', `${SWEEP_LABEL}=${sweep}`, '-o', 'json'])).items;
  }

  async runningPods(sweep: string): Promise<V1Pod[]> {
    return (await this.podsOf(sweep)).filter(({ status }) => status?.containerStatuses?.[0]?.state?.running);
  }

  /** What the aggregator serves of a sweep. */
  results(sweep: string): Promise<Results> {
    return resultsBy((name) => this.kubectl(['get', '--raw', `${AGGREGATOR}/api/sweeps/${sweep}/${name}`]));
  }

  /** What the same sweep gives on this machine, without a cluster. */
  async localResults(file: string): Promise<Results> {
    const out = mkdtempSync(join(this.folder, 'out-'));
    const { code, stderr } = await prunesweep('run', file, '--out', out);
    if (code !== 0) throw new Error(stderr);
    return resultsBy(async (name) => readFileSync(join(out, name), 'utf8'));
  }
}

async function resultsBy(read: (name: string) => Promise<string>): Promise<Results> {
  const entries = await Promise.all(RESULTS.map(async (name) => [name, await read(name)] as const));
  return Object.fromEntries(entries) as Results;
}
