/** The configuration of NATS in a cluster, as real servers take it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { connectNats, type NatsLink, patiently } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
import { ensureStreams } from '../../bus/nats/streams';
import { CHECKPOINTS, PROGRESS, RECORDS, SWEEPS } from '../../bus/nats/subjects';
import { gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { hasNats, whyNoNats } from '../servers/nats';
import { steadyPort } from '../servers/port';
import { begin, come, isHealthy, rewritten, serversFolder, startThree, urlOf } from './natsservers';

const STREAMS = [RECORDS, SWEEPS, PROGRESS, `OBJ_${CHECKPOINTS}`];
const RECORDED = 300;
const KILLED_AFTER = 100;

const points = gridPoints(sweepOf({ seeds: RECORDED / 3 }).spec, MNIST);
const records = points.map((point, index) => recordOf(point, 5000 + index));

/** The first `count` that the ledger holds, in order; asked again while the servers agree on who leads. */
const readAll = (link: NatsLink, count: number): Promise<TrialRecord[]> =>
  patiently(link, 'reading the ledger', 0, async () => {
    const found: TrialRecord[] = [];
    for await (const { entry } of (await NatsLedger.open(link)).follow(0))
      if (entry.kind === 'record' && found.push(entry.record) === count) break;
    return found;
  });

describe.runIf(hasNats)(`NATS in a cluster${whyNoNats}`, () => {
  it('is one server with cluster.conf, which keeps what it acknowledged over a kill', async () => {
    const folder = serversFolder();
    const [port, healthPort] = [await steadyPort(), await steadyPort()];
    const config = rewritten('cluster.conf', {
      '0.0.0.0:4222': `127.0.0.1:${port}`,
      '0.0.0.0:8222': `127.0.0.1:${healthPort}`,
      '"/data"': `"${join(folder, 'data')}"`,
    });
    const server = begin(folder, 'nats-0', config, {});
    await server.until(() => isHealthy(healthPort));
    const link = await come(`nats://127.0.0.1:${port}`);
    await ensureStreams(link);
    const ledger = await NatsLedger.open(link);
    for (const record of records.slice(0, 20)) await ledger.publish(record);
    await server.kill();
    server.begin();
    await server.until(() => isHealthy(healthPort));
    expect(await readAll(link, 20)).toEqual(records.slice(0, 20));
  });

  it('is three servers with secure.conf, of which one that is lost with its disk takes no acknowledged record with it', async () => {
    const folder = serversFolder();
    const servers = await startThree(folder);
    const ca = join(folder, 'ca.crt');
    const aggregator = await come(urlOf('aggregator', servers[1]!), ca);
    await ensureStreams(aggregator, 3);
    const manager = await aggregator.connection.jetstreamManager({ checkAPI: false });
    for (const stream of STREAMS) expect((await manager.streams.info(stream)).config.num_replicas, stream).toBe(3);

    // It knows one name, as a Service has one; where the others are the servers tell it.
    const trainer = await come(urlOf('trainer', servers[0]!), ca);
    const ledger = await NatsLedger.open(trainer);
    const lost = servers[0]!;
    for (const [index, record] of records.entries()) {
      if (index === KILLED_AFTER) await lost.process.kill();
      await ledger.publish(record);
    }
    expect(await readAll(aggregator, RECORDED)).toEqual(records);

    rmSync(join(folder, 'data-0'), { recursive: true });
    lost.process.begin();
    await lost.process.until(() => isHealthy(lost.healthPort));
    // All of it is on the new disk, too: another may be lost now.
    await expect
      .poll(async () => (await manager.streams.info(RECORDS)).cluster?.replicas?.every(({ current }) => current), {
        timeout: 60_000,
      })
      .toBe(true);
    await servers[1]!.process.kill();
    expect(await readAll(await come(urlOf('aggregator', servers[2]!), ca), RECORDED)).toEqual(records);
  });

  it('lets nobody in without TLS, or without the password of a role', async () => {
    const folder = serversFolder();
    const [server] = await startThree(folder);
    const ca = join(folder, 'ca.crt');
    const refused = (url: string) => expect(connectNats({ url, ca }, 'test', () => {})).rejects;
    await refused(`tls://localhost:${server!.port}`).toThrow(/refuses this user, password or credentials file/);
    await refused(`tls://trainer:wrong@localhost:${server!.port}`).toThrow(/refuses this user/);
    const plain = { url: `nats://trainer:of-trainer@localhost:${server!.port}` };
    await expect(connectNats(plain, 'test', () => {})).rejects.toThrow(/--ca names the authority/);
  });
});
