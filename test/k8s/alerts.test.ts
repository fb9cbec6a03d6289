import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsOf } from '../../controller/kubernetes/metrics';
import { startReader, startSource } from '../aggregator/line';
import { hasNats, whyNoNats } from '../servers/nats';

const ROOT = resolve(__dirname, '../..');
const { spec } = parse(readFileSync(join(ROOT, 'k8s/overlays/production/alerts.yaml'), 'utf8'));
const alerts: { alert: string; expr: string }[] = spec.groups.flatMap(({ rules }: { rules: object[] }) => rules);

/** Names of the metrics in a query; a query that is none has an error among its nodes. */
function metricsIn(query: string): string[] {
  const names: string[] = [];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`${query}: no PromQL at ${from}`);
      if (type.name === 'Identifier' && query.startsWith('prunesweep_', from)) names.push(query.slice(from, to));
    },
  });
  return names;
}

describe.runIf(hasNats)(`the alerts${whyNoNats}`, () => {
  it('ask for metrics that the aggregator and the controller have', async () => {
    const source = await startSource();
    const reader = await startReader(source.server.url);
    const ofController = metricsOf(
      () => 0,
      () => true,
    );
    const texts = [await (await reader.get('/metrics')).text(), await ofController.registry.metrics()];
    const known = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    for (const { expr } of alerts) {
      const asked = metricsIn(expr);
      expect(asked.length, expr).toBeGreaterThan(0);
      expect(known).toEqual(expect.arrayContaining(asked));
    }
  });
});

describe('each alert', () => {
  const manual = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
  const explained = [...manual.matchAll(/^\| (Prunesweep\w+) \|/gm)].map(([, name]) => name);

  it('is explained, with what to do', () => {
    expect(explained.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });
});
