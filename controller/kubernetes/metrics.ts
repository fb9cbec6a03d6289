/** What Prometheus is told of the controller. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  registry: Registry;
  reconciles: Counter<'result'>;
  seconds: Histogram;
  calls: Counter<'verb'>;
}

export function metricsOf(queueDepth: () => number, isLeader: () => boolean): Metrics {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    ...{ name: 'prunesweep_controller_queue_depth', help: 'Sweeps that wait to be looked at', registers },
    collect() {
      this.set(queueDepth());
    },
  });
  new Gauge({
    ...{ name: 'prunesweep_controller_leader', help: '1 while this controller leads', registers },
    collect() {
      this.set(isLeader() ? 1 : 0);
    },
  });
  return {
    registry,
    reconciles: new Counter({
      ...{
        name: 'prunesweep_controller_reconciles_total',
        help: 'Looks at a sweep, by result: ok or error',
        registers,
      },
      labelNames: ['result'],
    }),
    seconds: new Histogram({
      ...{ name: 'prunesweep_controller_reconcile_seconds', help: 'Seconds that a look took', registers },
      buckets: [0.001, 0.01, 0.1, 1, 10],
    }),
    calls: new Counter({
      ...{
        name: 'prunesweep_controller_api_calls_total',
        help: 'Calls of the API server, by HTTP verb; watches are none',
        registers,
      },
      labelNames: ['verb'],
    }),
  };
}
