/** `npm run chart`: writes into the chart, which may hold no path out of itself, what other folders of k8s/ say as it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const K8S = join(__dirname, '..');

/** What a cluster has one of; the configuration of NATS; what Prometheus is told. By their place in the chart. */
const COPIES: Record<string, string> = {
  'crds/prunesweeps.yaml': 'crd/prunesweeps.yaml',
  'crds/grid-policy.yaml': 'crd/grid-policy.yaml',
  'files/cluster.conf': 'nats/cluster.conf',
  'files/secure.conf': 'nats/secure.conf',
  'files/roles.conf': 'nats/roles.conf',
  'files/alerts.yaml': 'overlays/production/alerts.yaml',
  'files/monitors.yaml': 'overlays/production/monitors.yaml',
};

/** The files that are copies, by name. */
export const chartFiles = (): Record<string, string> =>
  Object.fromEntries(Object.entries(COPIES).map(([name, source]) => [name, readFileSync(join(K8S, source), 'utf8')]));

if (require.main === module)
  for (const [name, text] of Object.entries(chartFiles())) writeFileSync(join(__dirname, name), text);
