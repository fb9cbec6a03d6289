/** Whatever dies, hangs or is cut off, the table in the end is the same bytes. `npm run faults` runs many more schedules. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prunesweep, writeSweep } from '../cli/prunesweep';
import { writeIdxFolder } from '../idxfiles';
import { hasNats, whyNoNats } from '../servers/nats';
import { freePort } from '../servers/port';
import { runSchedule, type Undisturbed } from './campaign';
import { describeSchedule, kindsOf, scheduleOf } from './schedule';

const COUNT = Number(process.env.FAULT_SCHEDULES ?? 2);
const FIRST_SEED = Number(process.env.FAULT_SEED ?? 1);
const schedules = Array.from({ length: COUNT }, (_, index) => scheduleOf(FIRST_SEED + index));

describe.runIf(hasNats)(`a sweep under faults${whyNoNats}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-faults-'));
  let undisturbed: Undisturbed;
  const injected = new Map<string, number>();
  let [failed, run] = [0, 0];

  beforeAll(async () => {
    const idx = writeIdxFolder(folder, { side: 28, classes: 4, train: 6000, test: 1000 });
    const sweep = writeSweep(
      folder,
      {
        dataset: { idx },
        hiddenWidths: [[120, 60]],
        pruneRatios: [0, 0.5, 0.8, 0.9, 0.95, 0.98],
        seeds: 2,
        recipes: [{}, { recovery: 'regrow' }],
        training: { epochs: 6 },
        retraining: { epochs: 2 },
      },
      'faults.yaml',
    );
    const out = join(folder, 'undisturbed');
    const { code, stderr } = await prunesweep('run', sweep, '--out', out);
    if (code !== 0) throw new Error(stderr);
    const [trialsCsv, tableCsv] = ['trials.csv', 'table.csv'].map((name) => readFileSync(join(out, name), 'utf8'));
    const trials = trialsCsv!.trimEnd().split('\n').length - 1;
    undisturbed = { sweep, name: 'test', trials, trialsCsv: trialsCsv!, tableCsv: tableCsv! };
  });

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    const faults = [...injected.values()].reduce((sum, n) => sum + n, 0);
    process.stdout.write(`${JSON.stringify({ schedules: run, failed, faults, ...Object.fromEntries(injected) })}\n`);
  });

  for (const schedule of schedules)
    it(describeSchedule(schedule), async () => {
      run++;
      for (const kind of kindsOf(schedule)) injected.set(kind, (injected.get(kind) ?? 0) + 1);
      const { problems } = await runSchedule(
        schedule,
        undisturbed,
        join(folder, String(schedule.seed)),
        await freePort(),
      );
      if (problems.length > 0) failed++;
      const again = `npm run faults -- --schedules 1 --seed ${schedule.seed}`;
      expect(problems, `${problems.join('\n')}\nrepeat with: ${again}`).toEqual([]);
      rmSync(join(folder, String(schedule.seed)), { recursive: true, force: true });
    });
});
