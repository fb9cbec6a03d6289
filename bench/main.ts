/** `npm run bench -- NAME`: measurements, each beside a peer; the last line is JSON. */
import { benchAggregator } from './aggregator';
import { benchDashboard } from './dashboard';
import { benchEngine } from './engine';
import { benchKernels } from './kernels';
import { benchOperator } from './operator';
import { benchPods } from './pods';
import { benchSweep } from './sweep';
import { benchTfjs } from './tfjs';

const benches: Record<string, () => Promise<void>> = {
  engine: benchEngine,
  sweep: benchSweep,
  kernels: benchKernels,
  aggregator: benchAggregator,
  dashboard: benchDashboard,
  operator: benchOperator,
  pods: benchPods,
  tfjs: benchTfjs,
};

const name = process.argv[2] ?? '';
const bench = benches[name];
if (bench === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(benches).join(' | ')}\n`);
  process.exit(64);
}
bench().catch((error: Error & { exitCode?: number }) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(error.exitCode ?? 1);
});
