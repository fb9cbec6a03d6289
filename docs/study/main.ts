/**
 * `npm run study`: runs the sweeps of k8s/samples/study.yaml one after another into one folder, draws and judges, and
 * writes docs/study. Stopped or killed, the same command goes on where it was.
 *
 *   npm run study                        the whole study, into out/study and docs/study
 *   npm run study -- --cut               a cut of some minutes, into out/study-cut, its page too
 *   npm run study -- --page              what is recorded already, without running anything
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { writePage } from './page';
import { cut, type StudySweep, studySweeps } from './sweeps';

const ROOT = join(__dirname, '../..');

function runSweep({ name, document }: StudySweep, folder: string, workers: string): void {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, stringify(document));
  console.log(`== ${name}`);
  const args = [join(ROOT, 'dist/cli.js'), 'run', file, '--out', folder, '--workers', workers];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  // A trial may diverge, which its sweep then says; anything else ends the study.
  if (status !== 0) process.exit(status ?? 1);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cut: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
      workers: { type: 'string', default: '2' },
      out: { type: 'string' },
    },
  });
  const folder = join(ROOT, values.out ?? (values.cut ? 'out/study-cut' : 'out/study'));
  mkdirSync(folder, { recursive: true });
  const sweeps = values.cut ? studySweeps().map(cut) : studySweeps();
  const began = Date.now();
  if (!values.page) for (const sweep of sweeps) runSweep(sweep, folder, values.workers);
  const minutes = Math.round((Date.now() - began) / 60_000);
  if (!values.page) console.log(`All sweeps are recorded, ${minutes} min this time.`);
  await writePage(folder, values.cut ? join(folder, 'page') : join(ROOT, 'docs/study'), sweeps);
}

void main();
