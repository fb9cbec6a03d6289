/** What every ledger does, whatever it is kept in. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Ledger, LedgerMessage } from '../../bus/bus';
import { FileLedger } from '../../bus/ledger';
import { connectNats } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
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
    const ledger = await NatsLedger.open(await connectNats(server.url, 'test', () => {}), () => {});
    onTestFinished(() => ledger.close());
    return ledger;
  };
  const ledger = await reopen();
  await ledger.ensureStreams();
  return { ledger, reopen };
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
    expect(messages.map(({ record }) => record)).toEqual(records.slice(0, 5));
    expect(await first(ledger, 2, messages[2]!.sequence)).toEqual(messages.slice(3));
    expect(await first(await reopen(), 5)).toEqual(messages);
  });

  claim('tells a reader of each record that comes later', async () => {
    const { ledger } = await begin();
    const coming = first(ledger, 3);
    for (const record of records.slice(0, 3)) await ledger.publish(record);
    expect((await coming).map(({ record }) => record)).toEqual(records.slice(0, 3));
  });

  claim('keeps a record once, however often and at whatever cost it is published', async () => {
    const { ledger } = await begin();
    for (let time = 0; time < 3; time++)
      await ledger.publish({ ...records[0]!, cost: { ...records[0]!.cost, trainingSeconds: time } });
    await ledger.publish(records[1]!);
    const messages = await first(ledger, 2);
    expect(messages.map(({ record }) => record!.id)).toEqual([records[0]!.id, records[1]!.id]);
    expect(messages[0]!.record!.cost.trainingSeconds).toBe(0);
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
    expect((await first(ledger, 1))[0]!.record).toEqual(records[0]);
  });

  claim('knows which trials are recorded', async () => {
    const { ledger } = await begin();
    const ids = records.map(({ id }) => id);
    expect(await ledger.recorded([])).toEqual(new Set());
    expect(await ledger.recorded(ids)).toEqual(new Set());
    for (const record of records.slice(0, 8)) await ledger.publish(record);
    expect(await ledger.recorded([...ids, 'f'.repeat(64)])).toEqual(new Set(ids.slice(0, 8)));
  });
});
