import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsOf } from '../../controller/kubernetes/metrics';
import { publishedSweep, startReader, startSource, untilSweep } from '../aggregator/line';
import { hasNats, whyNoNats } from '../servers/nats';

const ROOT = resolve(__dirname, '../..');
const { spec } = parse(readFileSync(join(ROOT, 'k8s/overlays/production/alerts.yaml'), 'utf8'));
const dashboard = JSON.parse(readFileSync(join(ROOT, 'k8s/grafana/dashboard.json'), 'utf8')) as {
  panels: { title: string; targets: { expr: string }[] }[];
};
const alerts: { alert: string; expr: string }[] = spec.groups.flatMap(({ rules }: { rules: object[] }) => rules);

/** Names of the metrics and labels in a query; a query that is none has an error among its nodes. */
function namesIn(query: string): { metrics: string[]; labels: string[] } {
  const [metrics, labels]: [string[], string[]] = [[], []];
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`${query}: no PromQL at ${from}`);
      const name = query.slice(from, to);
      if (type.name === 'Identifier' && /^(prunesweep|process)_/.test(name)) metrics.push(name);
      if (type.name === 'LabelName') labels.push(name);
    },
  });
  return { metrics, labels };
}

describe.runIf(hasNats)(`the alerts, and the dashboard of Grafana${whyNoNats}`, () => {
  it('ask for metrics that the aggregator and the controller have, by labels that these have', async () => {
    const source = await startSource();
    await source.sweeps.publish(publishedSweep({}));
    const reader = await startReader(source.server.url);
    await untilSweep(reader);
    const ofController = metricsOf(
      () => 0,
      () => true,
    );
    const texts = [await (await reader.get('/metrics')).text(), await ofController.registry.metrics()];
    const known = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
    const ofText = texts.flatMap((text) => [...text.matchAll(/[{,](\w+)="/g)].map(([, name]) => name));
    // A counter that has counted nothing yet is without its labels; `job` is Prometheus' own.
    const { reconciles, calls } = ofController as unknown as Record<string, { labelNames: string[] }>;
    const knownLabels = [...ofText, ...reconciles!.labelNames, ...calls!.labelNames, 'job'];
    const drawn = dashboard.panels.flatMap(({ targets }) => targets);
    expect(drawn.length).toBeGreaterThan(10);
    for (const { expr } of [...alerts, ...drawn]) {
      const { metrics, labels } = namesIn(expr);
      expect(metrics.length, expr).toBeGreaterThan(0);
      expect(known).toEqual(expect.arrayContaining(metrics));
      expect(knownLabels, expr).toEqual(expect.arrayContaining(labels));
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
