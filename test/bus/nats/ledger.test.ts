import { connect } from 'nats';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LedgerMessage } from '../../../bus/bus';
import { connectNats } from '../../../bus/nats/connect';
import { NatsLedger } from '../../../bus/nats/ledger';
import { ensureStreams } from '../../../bus/nats/streams';
import { RECORDS, recordSubject } from '../../../bus/nats/subjects';
import { DataError } from '../../../sweep/errors';
import { gridPoints } from '../../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../../fixtures';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';

const records = gridPoints(sweepOf({ seeds: 40 }).spec, MNIST).map((point, index) => recordOf(point, 5000 + index));

async function serverWith(config = ''): Promise<NatsServer> {
  const server = await NatsServer.start(config);
  onTestFinished(() => server.stop());
  return server;
}

/** What it says it waits for is in `said`. */
async function ledgerAt(url: string): Promise<{ ledger: NatsLedger; said: string[]; makeStreams(): Promise<void> }> {
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  const link = await connectNats({ url }, 'test', say);
  const ledger = await NatsLedger.open(link);
  onTestFinished(() => ledger.close());
  return { ledger, said, makeStreams: () => ensureStreams(link) };
}

const recordOfMessage = ({ entry }: LedgerMessage) => (entry.kind === 'record' ? entry.record : entry);

async function all(ledger: NatsLedger, count: number) {
  const messages = [];
  for await (const message of ledger.follow(0)) if (messages.push(message) === count) break;
  return messages;
}

describe.runIf(hasNats)(`the ledger in NATS${whyNoNats}`, () => {
  it('has each record once that was acknowledged, though the server was killed again and again', async () => {
    const server = await serverWith();
    const { ledger, said, makeStreams } = await ledgerAt(server.url);
    await makeStreams();
    let done = false;
    const kills = (async () => {
      for (let kill = 0; kill < 4 && !done; kill++) {
        await new Promise((wait) => setTimeout(wait, 60));
        await server.kill();
        await server.begin();
      }
    })();
    for (const record of records) await ledger.publish(record);
    done = true;
    await kills;
    const { ledger: fresh } = await ledgerAt(server.url);
    const messages = await all(fresh, records.length);
    expect(messages.map(recordOfMessage)).toEqual(records);
    expect(said.some((line) => line.includes('waits for NATS') || line.includes('is away'))).toBe(true);
  });

  it('shows what is no record as poison, and goes on', async () => {
    const server = await serverWith();
    const { ledger, makeStreams } = await ledgerAt(server.url);
    await makeStreams();
    const raw = await connect({ servers: server.url });
    onTestFinished(() => raw.close());
    const poison = [
      'not JSON',
      'null',
      '{"version":1}',
      JSON.stringify({ ...records[0], version: 99 }),
      JSON.stringify({ ...records[0], id: 'f'.repeat(64) }),
      'x'.repeat(1_000_000),
    ];
    for (const [index, text] of poison.entries()) await raw.jetstream().publish(recordSubject(`poison${index}`), text);
    await ledger.publish(records[1]!);
    const messages = await all(ledger, poison.length + 1);
    expect(messages.map(({ entry }) => (entry.kind === 'poison' ? entry.reason : undefined))).toEqual([
      expect.stringContaining('not valid JSON'),
      'not a record: it has no version',
      "not a record: it must have required property 'id'",
      'a record of version 99, this program reads 1, 2',
      `its trial id ${'f'.repeat(64)} is not that of its trial`,
      expect.stringContaining('not valid JSON'),
      undefined,
    ]);
    expect(recordOfMessage(messages.at(-1)!)).toEqual(records[1]);
  });

  it('waits for its stream, and says so', async () => {
    const server = await serverWith();
    const { ledger, said, makeStreams } = await ledgerAt(server.url);
    const published = ledger.publish(records[0]!);
    await expect.poll(() => said.join('\n')).toContain('it has no such stream');
    await makeStreams();
    await published;
    expect(await ledger.recorded([records[0]!.id])).toEqual(new Map([[records[0]!.id, records[0]]]));
  });

  it('gives up with the mend on what waiting would not help', async () => {
    const server = await serverWith(`
      max_payload: 1000
      authorization { users: [
        { user: all, password: secret }
        { user: reader, password: secret, permissions: { publish: ["$JS.API.>"], subscribe: ["_INBOX.>"] } }
      ] }`);
    const at = (user: string, password = 'secret') => server.url.replace('//', `//${user}:${password}@`);
    const { ledger, makeStreams } = await ledgerAt(at('all'));
    await makeStreams();
    await expect(ledger.publish(records[0]!)).rejects.toThrow(/more than NATS takes; raise max_payload/);
    const { ledger: reader } = await ledgerAt(at('reader'));
    await expect(reader.publish(records[0]!)).rejects.toThrow(DataError);
    await expect(connectNats({ url: at('all', 'wrong') }, 'test', () => {})).rejects.toThrow(
      /refuses this user, password or credentials file; give what it knows/,
    );
    await expect(connectNats({ url: 'nats://:::' }, 'test', () => {})).rejects.toThrow(/expected nats:\/\/HOST:PORT/);
  });

  it('lets nobody delete or purge a record', async () => {
    const server = await serverWith();
    const { ledger, makeStreams } = await ledgerAt(server.url);
    await makeStreams();
    await ledger.publish(records[0]!);
    const raw = await connect({ servers: server.url });
    onTestFinished(() => raw.close());
    const manager = await raw.jetstreamManager();
    await expect(manager.streams.purge(RECORDS)).rejects.toThrow(/purge/);
    await expect(manager.streams.deleteMessage(RECORDS, 1)).rejects.toThrow(/delete/);
    expect(recordOfMessage((await all(ledger, 1))[0]!)).toEqual(records[0]);
  });
});
