/** Numbers for Prometheus. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Aggregator } from '../aggregator';

export function metricsOf(aggregator: Aggregator): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, collect: (gauge: Gauge) => void | Promise<void>, labels: string[] = []) =>
    new Gauge({
      ...{ name: `prunesweep_${name}`, help, labelNames: labels, registers: [registry] },
      collect() {
        return collect(this);
      },
    });
  const now = () => performance.now() / 1000;

  gauge(
    'trials',
    'Trials of a sweep by state.',
    (it) => {
      it.reset();
      for (const [sweep, board] of aggregator.boards) {
        const running = aggregator.live.atWork(sweep, now()).length;
        for (const [state, value] of Object.entries({ ...board.counts, running })) it.set({ sweep, state }, value);
      }
    },
    ['sweep', 'state'],
  );
  gauge('ready', '1 when the table is what the ledger says.', (it) => it.set(aggregator.readiness.isReady ? 1 : 0));
  gauge('ledger_folded_sequence', 'Place of the ledger up to which it is in the table.', (it) =>
    it.set(aggregator.readiness.folded),
  );
  gauge('ledger_last_sequence', 'Last place of the ledger, 0 while it is away.', (it) =>
    it.set(aggregator.readiness.last ?? 0),
  );
  gauge('folded_messages', 'Messages of the ledger taken in by this process.', (it) => it.set(aggregator.folded));
  gauge('rebuilds', 'Times that this process made its store again.', (it) => it.set(aggregator.rebuilds));
  const stored = (name: 'records' | 'quarantined' | 'conflicts', help: string) =>
    gauge(name, help, async (it) => it.set((await aggregator.store.counts())[name]));
  stored('records', 'Records in the store, of all sweeps.');
  stored('quarantined', 'Messages of the ledger that are no records.');
  stored('conflicts', 'Trials that were measured twice with different results: alarm.');
  return registry;
}
