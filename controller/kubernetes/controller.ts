/** The controller: watches, the queue, and who leads. It keeps nothing in memory that a restart cannot find again. */
import { CoordinationV1Api, type KubeConfig } from '@kubernetes/client-node';
import type { DatasetShape } from '../../sweep/spec';
import { apiClient, CONFLICT, codeOf, sayingOf } from './api';
import { Cluster } from './cluster';
import { Leadership } from './leader';
import { LedgerView, type Sweeps } from './ledger';
import type { PodSettings } from './manifests';
import { type Metrics, metricsOf } from './metrics';
import { NameQueue } from './queue';
import { reconcile, type World } from './reconcile';

export interface ControllerOptions {
  config: KubeConfig;
  namespace: string;
  /** Another for each controller. */
  identity: string;
  aggregator: string;
  sweeps: Sweeps;
  pods: PodSettings;
  shape: DatasetShape;
  log: ControllerLog;
}

/** Structured, as pino has it. */
export interface ControllerLog {
  info(what: object, line: string): void;
  warn(what: object, line: string): void;
}

/** Sweeps that are looked at at once. */
const WORKERS = 8;

/** Thrown in place of a call that changes something when another may be leading by now. */
class NoLongerLeader extends Error {}

export class Controller {
  readonly metrics: Metrics;
  private readonly queue = new NameQueue();
  private readonly leadership: Leadership;
  private readonly cluster: Cluster;
  private readonly ledger: LedgerView;
  private reconciles = 0;

  constructor(private readonly options: ControllerOptions) {
    const { config, namespace, identity, aggregator, sweeps, log } = options;
    const say = (line: string) => log.warn({}, line);
    this.metrics = metricsOf(
      () => this.queue.depth,
      () => this.isLeader,
    );
    const called = (verb: string) => this.metrics.calls.inc({ verb });
    this.leadership = new Leadership(apiClient(config, CoordinationV1Api, called), namespace, identity, say);
    const asks = (verb: string) => {
      // Between two calls any time may pass, and another may lead by then.
      if (verb !== 'GET' && !this.isLeader) throw new NoLongerLeader('another controller leads, or may');
      called(verb);
    };
    this.cluster = new Cluster(config, namespace, (name) => this.queue.add(name), asks, say);
    this.ledger = new LedgerView(aggregator, sweeps, (name) => this.enqueue(name), say);
  }

  get isLeader(): boolean {
    return this.leadership.isLeader;
  }

  private enqueue(name: string | undefined): void {
    for (const one of name === undefined ? this.cluster.sweepNames() : [name]) this.queue.add(one);
  }

  /** Works until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, pods, shape } = this.options;
    signal.addEventListener('abort', () => this.cluster.stop());
    const leading = this.leadership.run(() => {
      log.info({}, 'leads');
      this.enqueue(undefined);
    }, signal);
    const looking = this.ledger.run(signal);
    await Promise.race([this.cluster.watch(), new Promise((done) => signal.addEventListener('abort', done))]);
    const world: World = { pods, shape, cluster: this.cluster, ledger: this.ledger };
    await this.queue.work(
      WORKERS,
      (name) => this.look(name, world),
      (name, error) => {
        // What was seen is old already, or was seen by one who leads no more: it is looked at again, and that is all.
        if (codeOf(error) === CONFLICT || error instanceof NoLongerLeader) return;
        this.metrics.reconciles.inc({ result: 'error' });
        log.warn({ sweep: name }, `${sayingOf(error)}; trying again`);
      },
      signal,
    );
    await Promise.all([leading, looking]);
  }

  private async look(name: string, world: World): Promise<void> {
    if (!this.isLeader) return;
    const id = ++this.reconciles;
    const stop = this.metrics.seconds.startTimer();
    const did = await reconcile(name, world);
    stop();
    this.metrics.reconciles.inc({ result: 'ok' });
    if (did === undefined) return;
    const { actions, state, againAfter } = did;
    if (actions.length > 0) this.options.log.info({ sweep: name, reconcile: id, actions, state }, 'acted');
    if (againAfter !== undefined) this.queue.addAfter(name, againAfter * 1000);
  }
}
