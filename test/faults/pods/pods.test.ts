/** Whatever happens to pods and their node, the table is the one of one machine. `npm run faults -- --pods`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation, NAMESPACE } from '../../k8s/installation';
import { hasNode, RealCluster, whyNoRealCluster } from '../../servers/kubernetes';
import { hasNats, natsProgram, whyNoNats } from '../../servers/nats';
import { Epochs, runPodSchedule } from './campaign';
import { describePodSchedule, podScheduleOf } from './schedule';

const COUNT = Number(process.env.FAULT_SCHEDULES ?? 1);
const FIRST_SEED = Number(process.env.FAULT_SEED ?? 9);
const schedules = Array.from({ length: COUNT }, (_, index) => podScheduleOf(FIRST_SEED + index));

const isHere = hasNode && hasNats;
let installation: Installation;
let nats: string;
let epochs: Epochs;

beforeAll(async () => {
  if (!isHere) return;
  installation = await Installation.start(RealCluster.start, natsProgram(), { gpus: 2, ownDisk: true });
  nats = `127.0.0.1:${await installation.cluster.forward(`nats.${NAMESPACE}.svc.cluster.local`, 4222)}`;
  epochs = await Epochs.hear(nats);
});
afterAll(async () => {
  await epochs?.close();
  await installation?.stop();
});

describe.runIf(isHere)(`pods under faults${whyNoRealCluster}${whyNoNats}`, () => {
  const injected = new Map<string, number>();
  let [run, failed] = [0, 0];

  afterAll(() => {
    const faults = [...injected.values()].reduce((sum, n) => sum + n, 0);
    const { different, repeated } = epochs;
    const lost = { epochs: different, repeated, lost_share: Number((repeated / (different + repeated)).toFixed(4)) };
    process.stdout.write(
      `${JSON.stringify({ schedules: run, failed, faults, ...Object.fromEntries(injected), ...lost })}\n`,
    );
  });

  for (const schedule of schedules)
    it(describePodSchedule(schedule), async () => {
      run++;
      const kinds = [...schedule.faults.map(({ kind }) => kind), ...(schedule.isMemoryTooLow ? ['out of memory'] : [])];
      for (const kind of kinds) injected.set(kind, (injected.get(kind) ?? 0) + 1);
      const problems = await runPodSchedule(installation, schedule, nats).catch((error: Error) => [error.stack!]);
      if (problems.length > 0) failed++;
      const again = `npm run faults -- --pods --schedules 1 --seed ${schedule.seed}`;
      expect(problems, `${problems.join('\n')}\nrepeat with: ${again}`).toEqual([]);
    });
});
