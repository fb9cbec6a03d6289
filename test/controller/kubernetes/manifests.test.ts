import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectNats } from '../../../bus/nats/connect';
import { ensureStreams } from '../../../bus/nats/streams';
import { sweepYaml } from '../../../sweep/accept';
import { prunesweep } from '../../cli/prunesweep';
import { temporaryFolder } from '../../idxfiles';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';
import { jobOfSweep, planOfSweep, sweepOf } from './sweeps';

const MEBIBYTES = /^(\d+)Mi$/;

describe.runIf(hasNats)(`the memory that a pod asks for${whyNoNats}`, () => {
  it.each([
    ['a small network', [50]],
    ['a large one', [1200, 100]],
  ])('is what its trainer takes of %s, within 30 %%', async (_, widths) => {
    const server = await NatsServer.start();
    onTestFinished(() => server.stop());
    const link = await connectNats({ url: server.url }, 'test', () => {});
    onTestFinished(() => link.connection.close());
    await ensureStreams(link);
    const spec = { hiddenWidths: [widths], pruneRatios: [0.5], seeds: 1 };
    const sweep = sweepOf({ ...spec, training: { epochs: 1 }, retraining: { epochs: 1 } });
    const file = join(temporaryFolder(), 'sweep.yaml');
    writeFileSync(file, sweepYaml(planOfSweep(sweep).definition.sweep));
    const { code, megabytes } = await prunesweep('trainer', '--nats', server.url, '--sweep', file, '--pack', '0');
    expect(code).toBe(0);
    const { resources } = jobOfSweep(sweep).spec!.template.spec!.containers[0]!;
    const asked = Number(MEBIBYTES.exec(resources!.requests!.memory!)![1]);
    expect(megabytes / asked).toBeGreaterThan(0.7);
    expect(megabytes / asked).toBeLessThan(1.3);
  });
});
