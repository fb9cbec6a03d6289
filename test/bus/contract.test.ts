/** What every ledger does, whatever it is kept in. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CHECKPOINT_NAMES, type Checkpoints, type Ledger, type LedgerMessage } from '../../bus/bus';
import { FileCheckpoints } from '../../bus/checkpoints';
import { FileLedger } from '../../bus/ledger';
import { NatsCheckpoints } from '../../bus/nats/checkpoints';
import { connectNats } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
import { ensureStreams } from '../../bus/nats/streams';
import { DataError } from '../../sweep/errors';
import { gridPoints } from '../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';
import { hasNats, NatsServer, whyNoNats } from '../servers/nats';

const records = gridPoints(sweepOf({ seeds: 4 }).spec, MNIST).map((point, index) => recordOf(point, 9000 + index));

/** The first messages of a ledger after a sequence. */
async function first(ledger: Ledger, count: number, after = 0): Promise<LedgerMessage[]> {
  const messages: LedgerMessage[] = [];
  for await (const message of ledger.follow(after)) if (messages.push(message) === count) break;
  return messages;
}

const recordOfMessage = ({ entry }: LedgerMessage) => (entry.kind === 'record' ? entry.record : entry);

/** An empty ledger, and further looks at the same one; both are gone when the test ends. */
interface Begun {
  ledger: Ledger;
  reopen(): Promise<Ledger>;
}

async function inFile(): Promise<Begun> {
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = new FileLedger(path);
  onTestFinished(() => ledger.close());
  return { ledger, reopen: async () => new FileLedger(path) };
}

async function inNats(): Promise<Begun> {
  const server = await NatsServer.start();
  onTestFinished(() => server.stop());
  const reopen = async () => {
    const link = await connectNats({ url: server.url }, 'test', () => {});
    await ensureStreams(link);
    const ledger = await NatsLedger.open(link);
    onTestFinished(() => ledger.close());
    return ledger;
  };
  return { ledger: await reopen(), reopen };
}

describe.each([
  ['a file', inFile],
  [`NATS${whyNoNats}`, inNats],
])('a ledger in %s', (_, begin) => {
  const claim = it.runIf(begin === inFile || hasNats);

  claim('has what was published, in order, for who reads from the start, from anywhere or anew', async () => {
    const { ledger, reopen } = await begin();
    for (const record of records.slice(0, 5)) await ledger.publish(record);
    const messages = await first(ledger, 5);
    expect(messages.map(recordOfMessage)).toEqual(records.slice(0, 5));
    expect(await first(ledger, 2, messages[2]!.sequence)).toEqual(messages.slice(3));
    expect(await first(await reopen(), 5)).toEqual(messages);
  });

  claim('tells a reader of each record that comes later', async () => {
    const { ledger } = await begin();
    const coming = first(ledger, 3);
    for (const record of records.slice(0, 3)) await ledger.publish(record);
    expect((await coming).map(recordOfMessage)).toEqual(records.slice(0, 3));
  });

  claim('keeps a record once, however often and at whatever cost it is published', async () => {
    const { ledger } = await begin();
    for (let time = 0; time < 3; time++)
      await ledger.publish({ ...records[0]!, cost: { ...records[0]!.cost, trainingSeconds: time } });
    await ledger.publish(records[1]!);
    const messages = await first(ledger, 2);
    expect(messages.map(({ stamp: _, entry }) => entry.kind === 'record' && entry.record.id)).toEqual([
      records[0]!.id,
      records[1]!.id,
    ]);
    expect(recordOfMessage(messages[0]!)).toMatchObject({ cost: { trainingSeconds: 0 } });
  });

  claim('refuses a second measurement of a trial that differs, and keeps the first', async () => {
    const { ledger, reopen } = await begin();
    await ledger.publish(records[0]!);
    const other = { ...records[0]!, test: { ...records[0]!.test, correct: 1 } };
    for (const who of [ledger, await reopen()]) {
      const refusal = who.publish(other);
      await expect(refusal).rejects.toThrow(DataError);
      await expect(refusal).rejects.toThrow(`trial ${other.id} has been measured twice`);
    }
    expect(recordOfMessage((await first(ledger, 1))[0]!)).toEqual(records[0]);
  });

  claim('knows which trials are recorded', async () => {
    const { ledger } = await begin();
    const ids = records.map(({ id }) => id);
    expect(await ledger.recorded([])).toEqual(new Map());
    expect(await ledger.recorded(ids)).toEqual(new Map());
    for (const record of records.slice(0, 8)) await ledger.publish(record);
    expect(await ledger.recorded([...ids, 'f'.repeat(64)])).toEqual(
      new Map(records.slice(0, 8).map((record) => [record.id, record])),
    );
  });

  claim('says where it ends, and by what its messages are told from others of their sequence', async () => {
    const { ledger, reopen } = await begin();
    expect((await ledger.position(0)).last).toBe(0);
    for (const record of records.slice(0, 3)) await ledger.publish(record);
    const stamps = (await first(ledger, 3)).map(({ sequence, stamp }) => ({ sequence, stamp }));
    expect(new Set(stamps.map(({ stamp }) => stamp)).size).toBe(3);
    for (const { sequence, stamp } of stamps)
      expect(await (await reopen()).position(sequence)).toMatchObject({ last: 3, stamp });
    expect((await ledger.position(4)).stamp).toBeUndefined();
  });
});

const loaded = async (store: Checkpoints, lineage: string) =>
  new Map([...(await store.load(lineage))].map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
const bytesOf = (length: number, seed: number) => new Uint8Array(length).map((_, at) => (at * seed) % 251);

describe.each([
  ['files', async (): Promise<Checkpoints> => new FileCheckpoints(join(temporaryFolder(), 'checkpoints'))],
  [
    `NATS${whyNoNats}`,
    async (): Promise<Checkpoints> => {
      const server = await NatsServer.start();
      const link = await connectNats({ url: server.url }, 'test', () => {});
      onTestFinished(async () => {
        await link.connection.close();
        await server.stop();
      });
      await ensureStreams(link);
      return NatsCheckpoints.open(link);
    },
  ],
])('checkpoints in %s', (name, begin) => {
  const claim = it.runIf(name === 'files' || hasNats);

  claim('are there as they were last saved, those of each lineage by themselves, until they are removed', async () => {
    const store = await begin();
    expect(await loaded(store, 'a'.repeat(64))).toEqual(new Map());
    await store.remove('a'.repeat(64));
    for (const [index, checkpoint] of CHECKPOINT_NAMES.entries())
      await store.save('a'.repeat(64), checkpoint, bytesOf(300_000, index + 1));
    await store.save('b'.repeat(64), 'fit', bytesOf(10, 9));
    await store.save('b'.repeat(64), 'pruned', bytesOf(10, 9));
    await store.save('b'.repeat(64), 'pruned', new Uint8Array());
    await store.save('a'.repeat(64), 'fit', bytesOf(400_000, 7));
    expect(await loaded(store, 'a'.repeat(64))).toEqual(
      new Map([
        ['dense', bytesOf(300_000, 1)],
        ['pruned', bytesOf(300_000, 2)],
        ['fit', bytesOf(400_000, 7)],
      ]),
    );
    await store.remove('a'.repeat(64));
    expect(await loaded(store, 'a'.repeat(64))).toEqual(new Map());
    expect(await loaded(store, 'b'.repeat(64))).toEqual(
      new Map([
        ['pruned', new Uint8Array()],
        ['fit', bytesOf(10, 9)],
      ]),
    );
  });
});
