/** Each role against a real server with the permissions that are shipped: it can do its whole job, and nothing else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StringCodec } from 'nats';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LedgerMessage } from '../../../bus/bus';
import { NatsCheckpoints } from '../../../bus/nats/checkpoints';
import { connectNats, type NatsLink } from '../../../bus/nats/connect';
import { NatsLedger } from '../../../bus/nats/ledger';
import { NatsNews } from '../../../bus/nats/news';
import { ensureStreams } from '../../../bus/nats/streams';
import { CHECKPOINTS, PROGRESS, RECORDS, recordSubject, SWEEPS, sweepSubject } from '../../../bus/nats/subjects';
import { NatsSweeps } from '../../../bus/nats/sweeps';
import { DataError } from '../../../sweep/errors';
import { gridPoints } from '../../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../../fixtures';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';

const roles = readFileSync(join(__dirname, '../../../k8s/nats/roles.conf'), 'utf8');
const passwords = {
  PRUNESWEEP_TRAINER_PASSWORD: 'of-trainer',
  PRUNESWEEP_AGGREGATOR_PASSWORD: 'of-aggregator',
  PRUNESWEEP_CONTROLLER_PASSWORD: 'of-controller',
};
type Role = 'trainer' | 'aggregator' | 'controller';

const BUCKET = `OBJ_${CHECKPOINTS}`;
const STREAMS = [RECORDS, SWEEPS, PROGRESS, BUCKET];
const sweep = sweepOf({ seeds: 2 });
const definition = { sweep, shape: MNIST };
const records = gridPoints(sweep.spec, MNIST).map((point, index) => recordOf(point, 5000 + index));

/** Takes so many of what comes. */
async function first<T>(count: number, coming: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of coming) if (found.push(one) === count) break;
  return found;
}

const kind = ({ entry }: LedgerMessage) => entry.kind;

async function serverOfRoles(): Promise<NatsServer> {
  const server = await NatsServer.start(roles, passwords);
  onTestFinished(() => server.stop());
  return server;
}

/** What the server refused without an answer, as with a mere publish, is in `refused`. */
async function as(role: Role, server: NatsServer) {
  const link: NatsLink = await connectNats({ url: server.url.replace('//', `//${role}:of-${role}@`) }, role, () => {});
  onTestFinished(() => link.connection.close());
  const refused: unknown[] = [];
  void (async () => {
    for await (const { type, data, permissionContext } of link.connection.status())
      if (type === 'error') refused.push(permissionContext?.subject ?? data);
  })();
  return { link, connection: link.connection, refused };
}

describe.runIf(hasNats)(`the users of NATS${whyNoNats}`, () => {
  it('can each do the whole of their work', async () => {
    const server = await serverOfRoles();
    const [trainer, aggregator, controller] = await Promise.all([
      as('trainer', server),
      as('aggregator', server),
      as('controller', server),
    ]);
    await ensureStreams(aggregator.link);
    await ensureStreams(aggregator.link);

    const ledger = await NatsLedger.open(trainer.link);
    await ledger.publish(records[0]!);
    await ledger.publish(records[0]!);
    await expect(ledger.publish({ ...records[0]!, engine: 'other' as 'wasm' })).rejects.toThrow(/measured twice/);
    await ledger.fail({ trial: records[1]!.id, reason: 'diverged' });
    expect(await ledger.recorded(records.map(({ id }) => id))).toEqual(new Map([[records[0]!.id, records[0]]]));

    const checkpoints = await NatsCheckpoints.open(trainer.link);
    // Larger than what the server sends before it must be told to go on.
    const large = new Uint8Array(24 * 2 ** 20).map((_, index) => index % 251);
    const stored = async () => (await aggregator.connection.jetstreamManager()).streams.info(BUCKET);
    await checkpoints.save('lineage', 'fit', large);
    await checkpoints.save('lineage', 'fit', large);
    expect((await stored()).state.bytes).toBeLessThan(1.5 * large.length);
    expect(Buffer.from((await checkpoints.load('lineage')).get('fit')!).equals(large)).toBe(true);
    await checkpoints.remove('lineage');
    expect(await checkpoints.load('lineage')).toEqual(new Map());
    expect((await stored()).state.bytes).toBeLessThan(10_000);

    const news = new NatsNews(trainer.link);
    news.pack({ sweep: 'test', pack: 'pack-0', lineages: ['l'] });
    const step = { network: '300-100', seed: 1, step: 'dense', epoch: 1, epochs: 2, loss: 1, accuracy: 0.5 };
    news.progress({ lineage: 'l', ...step });
    await trainer.connection.flush();

    const reading = await NatsLedger.open(aggregator.link);
    expect((await first(3, reading.follow(0))).map(kind)).toEqual(['record', 'conflict', 'failure']);
    expect(await reading.position(1)).toMatchObject({ last: 3, stamp: expect.any(String) });
    const until = new AbortController();
    onTestFinished(() => until.abort());
    const heard = await first(2, new NatsNews(aggregator.link).follow(until.signal));
    expect(heard.map((one) => one.kind).sort()).toEqual(['pack', 'progress']);

    await new NatsSweeps(trainer.link).publish({ definition, by: 'trainer' });
    await new NatsSweeps(aggregator.link).publish({ definition, by: 'owner' });
    await new NatsSweeps(controller.link).publish({ definition, by: 'owner' });
    for (const { link } of [aggregator, controller])
      expect(await first(2, new NatsSweeps(link).follow(until.signal))).toMatchObject([
        { by: 'trainer' },
        { by: 'owner' },
      ]);

    // Also what nats.js does in passing and does not wait for: consumers dropped, "go on" said.
    for (const { connection, refused } of [trainer, aggregator, controller]) {
      await connection.flush();
      expect(refused).toEqual([]);
    }
  });

  it('go on reading where they were when NATS comes back', async () => {
    const server = await serverOfRoles();
    const { link, refused } = await as('aggregator', server);
    const { link: trainer } = await as('trainer', server);
    await ensureStreams(link);
    const [ledger, reading] = [await NatsLedger.open(trainer), await NatsLedger.open(link)];
    const coming = reading.follow(0);
    await ledger.publish(records[0]!);
    expect(kind((await coming.next()).value as LedgerMessage)).toBe('record');
    await server.kill();
    await server.begin();
    await ledger.publish(records[1]!);
    expect(kind((await coming.next()).value as LedgerMessage)).toBe('record');
    await coming.return(undefined);
    expect(refused.filter((what) => String(what).startsWith('$JS'))).toEqual([]);
  });
});

const api = (verb: string) => (stream: string) => `$JS.API.${verb}.${stream}`;
const changing = ['STREAM.DELETE', 'STREAM.UPDATE', 'STREAM.MSG.DELETE', 'STREAM.SNAPSHOT', 'STREAM.RESTORE'];
const everywhere = [
  ...changing.flatMap((verb) => STREAMS.map(api(verb))),
  ...['$JS.API.STREAM.LIST', '$JS.API.STREAM.CREATE.OTHER', 'other', 'prunesweep.other', '$SYS.REQ.SERVER.PING'],
  ...['$JS.API.CONSUMER.DURABLE.CREATE.RECORDS.x', '$JS.API.DIRECT.GET.RECORDS', '$JS.API.CONSUMER.LIST.RECORDS'],
];
const reading = (stream: string) =>
  ['CONSUMER.CREATE', 'STREAM.INFO', 'STREAM.MSG.GET']
    .map((verb) => api(verb)(stream))
    .concat([`$JS.API.CONSUMER.CREATE.${stream}.x`, `$JS.API.CONSUMER.MSG.NEXT.${stream}.x`]);

const forbidden: Record<Role, string[]> = {
  trainer: [
    ...everywhere,
    ...STREAMS.map(api('STREAM.CREATE')),
    ...[RECORDS, SWEEPS, PROGRESS].map(api('STREAM.PURGE')),
    ...[RECORDS, SWEEPS, PROGRESS].flatMap(reading).filter((subject) => subject !== '$JS.API.STREAM.MSG.GET.RECORDS'),
    ...[
      `$JS.API.DIRECT.GET.RECORDS.${recordSubject('x')}`,
      sweepSubject('x'),
      'prunesweep.record.a.b',
      '$O.other.C.x',
      '_INBOX.other',
    ],
  ],
  aggregator: [
    ...everywhere,
    ...STREAMS.map(api('STREAM.PURGE')),
    ...[recordSubject('x'), 'prunesweep.failure.x', 'prunesweep.conflict.x', 'prunesweep.progress.lineage.x'],
    ...[`$O.${CHECKPOINTS}.C.x`, `$JS.API.CONSUMER.CREATE.${BUCKET}`, '_INBOX.other'],
  ],
  controller: [
    ...everywhere,
    ...STREAMS.map(api('STREAM.CREATE')),
    ...STREAMS.map(api('STREAM.PURGE')),
    ...[RECORDS, PROGRESS, BUCKET].flatMap(reading),
    ...[recordSubject('x'), 'prunesweep.failure.x', 'prunesweep.conflict.x', 'prunesweep.progress.lineage.x'],
    ...[`$O.${CHECKPOINTS}.C.x`, `$JS.API.DIRECT.GET.RECORDS.${recordSubject('x')}`, '_INBOX.other'],
  ],
};

/** What the file lets each publish to, as subjects that the server answers. */
const PUBLISHED = Object.fromEntries(
  roles
    .split(/\n {6}user: /)
    .slice(1)
    .map((text) => [
      /^\w+/.exec(text)![0],
      [...text.matchAll(/"(\$JS\.API\.[^"]*)"/g)].map((match) => match[1]!.replace('*', 'x')),
    ]),
) as Record<Role, string[]>;

describe.runIf(hasNats).each(Object.keys(forbidden) as Role[])(`what NATS refuses to the %s${whyNoNats}`, (role) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start(roles, passwords);
    const link = await connectNats({ url: server.url.replace('//', '//aggregator:of-aggregator@') }, 'test', () => {});
    await ensureStreams(link);
    await link.connection.close();
    return () => server.stop();
  });

  it.each(forbidden[role])('%s', async (subject) => {
    const { connection, refused } = await as(role, server);
    await expect(connection.request(subject, StringCodec().encode(''), { timeout: 2000 })).rejects.toMatchObject({
      code: 'PERMISSIONS_VIOLATION',
    });
    // Without a reply as well, which is refused without an answer.
    refused.length = 0;
    connection.publish(subject);
    await expect.poll(() => refused).toEqual([subject]);
  });

  // The subject of an answer is one that the server does not check: an answer must never be a request that it takes.
  it.each(changing.concat('STREAM.PURGE').flatMap((verb) => STREAMS.map(api(verb))))(
    'to have an answer sent to %s',
    async (reply) => {
      const { connection } = await as(role, server);
      expect(PUBLISHED[role].length).toBeGreaterThan(2);
      for (const subject of PUBLISHED[role])
        for (const body of ['', '{}', '{"seq":1}', '{"last_by_subj":"prunesweep.record.x"}'])
          connection.publish(subject, StringCodec().encode(body), { reply });
      await connection.flush();
      const { streams } = await (await as('aggregator', server)).connection.jetstreamManager();
      expect((await streams.names().next()).sort()).toEqual([...STREAMS].sort());
    },
  );

  it('leaves the streams as they were', async () => {
    const { connection } = await as('aggregator', server);
    const { streams } = await connection.jetstreamManager();
    expect((await streams.names().next()).sort()).toEqual([...STREAMS].sort());
    for (const stream of STREAMS) expect((await streams.info(stream)).state.last_seq).toBe(0);
  });

  it.each(['>', 'prunesweep.>', '$JS.>', '$O.>', '$SYS.>'])('to listen at %s', async (subject) => {
    const { connection } = await as(role, server);
    const subscription = connection.subscribe(subject);
    await expect(first(1, subscription)).rejects.toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
  });

  it('to come in with another password', async () => {
    const url = server.url.replace('//', `//${role}:wrong@`);
    await expect(connectNats({ url }, 'test', () => {})).rejects.toThrow(DataError);
  });
});
