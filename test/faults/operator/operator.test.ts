/** Whatever dies, hangs or is cut off around the controller, the sweep ends as if nothing had. `npm run faults -- --operator`. */
import { afterAll, describe, expect, it } from 'vitest';
import { hasKubernetes, whyNoKubernetes } from '../../servers/kubernetes';
import { hasNats, whyNoNats } from '../../servers/nats';
import { runOperatorSchedule } from './campaign';
import { describeOperatorSchedule, operatorScheduleOf } from './schedule';

const COUNT = Number(process.env.FAULT_SCHEDULES ?? 1);
const FIRST_SEED = Number(process.env.FAULT_SEED ?? 1);
const schedules = Array.from({ length: COUNT }, (_, index) => operatorScheduleOf(FIRST_SEED + index));

describe.runIf(hasKubernetes && hasNats)(`a controller under faults${whyNoKubernetes}${whyNoNats}`, () => {
  const injected = new Map<string, number>();
  let [run, failed] = [0, 0];

  afterAll(() => {
    const faults = [...injected.values()].reduce((sum, n) => sum + n, 0);
    process.stdout.write(`${JSON.stringify({ schedules: run, failed, faults, ...Object.fromEntries(injected) })}\n`);
  });

  for (const schedule of schedules)
    it(describeOperatorSchedule(schedule), async () => {
      run++;
      const kinds = [...schedule.faults.map(({ kind }) => kind), ...(schedule.clockJumps ? ['clock jumps'] : [])];
      for (const kind of kinds) injected.set(kind, (injected.get(kind) ?? 0) + 1);
      const problems = await runOperatorSchedule(schedule);
      if (problems.length > 0) failed++;
      const again = `npm run faults -- --operator --schedules 1 --seed ${schedule.seed}`;
      expect(problems, `${problems.join('\n')}\nrepeat with: ${again}`).toEqual([]);
    });
});
