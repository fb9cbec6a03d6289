import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { connect } from 'nats';
import { describe, expect, it } from 'vitest';
import { tableCsv } from '../../aggregator/csv';
import { STORE_FILE, StoreDamaged } from '../../aggregator/store';
import { recordSubject } from '../../bus/nats/subjects';
import { cells } from '../../sweep/cells';
import { temporaryFolder } from '../idxfiles';
import { hasNats, whyNoNats } from '../servers/nats';
import * as line from './line';

const sweep = line.publishedSweep();
const points = line.pointsOf(sweep);
const records = line.recordsOf(sweep);

async function begin(count: number) {
  const source = await line.startSource();
  await source.sweeps.publish(sweep);
  const publish = async (from: number, to: number) => {
    for (const record of records.slice(from, to)) await source.ledger.publish(record);
  };
  await publish(0, count);
  const folder = temporaryFolder();
  const read = async () => {
    const reader = await line.startReader(source.server.url, folder);
    await line.untilSweep(reader);
    return reader;
  };
  return { source, publish, folder, read };
}

const tableOf = async (reader: line.Reader) => (await reader.get('/api/sweeps/test/table.csv')).text();
const tableOfFirst = (count: number) => tableCsv(cells(points, line.byId(records.slice(0, count))));

/** Looks at the state of the sweep again and again, and once more when it is asked what it saw. */
function watchStates(reader: line.Reader): () => Promise<Set<string>> {
  const seen = new Set<string>();
  let isOver = false;
  const watching = (async () => {
    let isLast: boolean;
    do {
      isLast = isOver;
      seen.add(await line.stateOf(reader));
      await new Promise((done) => setTimeout(done, 5));
    } while (!isLast);
  })();
  return async () => {
    isOver = true;
    await watching;
    return seen;
  };
}

describe.runIf(hasNats)(`the aggregator${whyNoNats}`, () => {
  it('has the same table whether its store is there, behind, or gone', async () => {
    const { publish, folder, read } = await begin(10);
    const first = await read();
    await line.untilFolded(first, 10);
    await first.end();
    await publish(10, 20);
    for (const isGone of [false, true]) {
      if (isGone) rmSync(join(folder, STORE_FILE));
      const reader = await read();
      await line.untilFolded(reader, 20);
      expect(await tableOf(reader)).toBe(tableOfFirst(20));
      expect(reader.aggregator.folded).toBe(isGone ? 20 : 10);
      expect(reader.aggregator.rebuilds).toBe(0);
      await reader.end();
    }
  });

  it.each([
    ['ends before', 0],
    ['goes beyond', 16],
  ])('makes its store again when a ledger from an older copy %s what it had', async (_, published) => {
    const { source, publish, read } = await begin(14);
    const reader = await read();
    await line.untilFolded(reader, 14);
    const [store, copy] = [join(source.server.folder, 'store'), join(temporaryFolder(), 'copy')];
    await source.server.kill();
    cpSync(store, copy, { recursive: true });
    await source.server.begin();
    await publish(14, 24);
    await line.untilState(reader, 'complete');
    await source.server.kill();
    await line.untilState(reader, 'unknown');
    rmSync(store, { recursive: true });
    cpSync(copy, store, { recursive: true });
    const states = watchStates(reader);
    await source.server.begin();
    // Others may come first, and fill up the sequences that were lost.
    if (published > 0) {
      const raw = await connect({ servers: source.server.url });
      for (let at = 0; at < published; at++) await raw.jetstream().publish(recordSubject(`other${at}`), 'not JSON');
      await raw.close();
    }
    await line.untilFolded(reader, 14 + published);
    await line.untilState(reader, 'waiting');
    expect([...(await states())].sort()).toEqual(['unknown', 'waiting']);
    expect(await tableOf(reader)).toBe(tableOfFirst(14));
    expect(reader.aggregator.rebuilds).toBe(1);
    expect(reader.said.join('\n')).toMatch(/as after NATS was brought back from a copy/);
    await publish(14, 24);
    await line.untilState(reader, 'complete');
    expect(await tableOf(reader)).toBe(tableOfFirst(24));
  });

  it('makes its store again from a ledger that was made anew', async () => {
    const { source, publish, read } = await begin(24);
    const reader = await read();
    await line.untilState(reader, 'complete');
    const manager = await source.raw.jetstreamManager();
    await manager.streams.delete('RECORDS');
    await expect.poll(() => reader.aggregator.rebuilds, { timeout: 30_000 }).toBe(1);
    await publish(0, 5);
    await line.untilFolded(reader, 5);
    expect(await line.stateOf(reader)).toBe('waiting');
    expect(await tableOf(reader)).toBe(tableOfFirst(5));
    expect(reader.said.join('\n')).toContain('this is another ledger');
  });

  it('takes nothing over from a store of a ledger that is gone', async () => {
    const { folder, read } = await begin(24);
    const reader = await read();
    await line.untilState(reader, 'complete');
    await reader.end();
    const other = await line.startSource();
    await other.ledger.publish(records[0]!);
    const again = await line.startReader(other.server.url, folder);
    expect(await line.stateOf(again)).not.toBe('complete');
    await line.untilFolded(again, 1);
    expect(await tableOf(again)).toBe(tableOfFirst(1));
    expect(again.aggregator.rebuilds).toBe(1);
  });

  it('goes on after damage that shows only when it reads', async () => {
    const { read } = await begin(24);
    const reader = await read();
    await line.untilState(reader, 'complete');
    const { store } = reader.aggregator;
    reader.aggregator.rebuild(new StoreDamaged('a block is bad'));
    await line.untilState(reader, 'complete');
    expect(reader.aggregator.store).not.toBe(store);
    expect(await tableOf(reader)).toBe(tableOfFirst(24));
  });

  it('begins again from the ledger when a sweep in its store cannot be read', async () => {
    const { folder, read } = await begin(24);
    const first = await read();
    await line.untilState(first, 'complete');
    await first.end();
    const instance = await DuckDBInstance.create(join(folder, STORE_FILE));
    const connection = await instance.connect();
    await connection.run("UPDATE sweeps SET definition = '{}'");
    connection.closeSync();
    instance.closeSync();
    const reader = await read();
    await line.untilState(reader, 'complete');
    expect(reader.said.join('\n')).toContain('a sweep in it cannot be read: not a sweep with the shape');
    expect(await tableOf(reader)).toBe(tableOfFirst(24));
  });

  it("knows a sweep that a trainer brings along, and then by its owner's word alone", async () => {
    const source = await line.startSource();
    const reader = await line.startReader(source.server.url);
    const total = () => reader.aggregator.boards.get('test')?.counts.total;
    const bring = (seeds: number) => source.sweeps.publish({ ...line.publishedSweep({ seeds }), by: 'trainer' });
    await bring(1);
    await expect.poll(total, { timeout: 10_000 }).toBe(8);
    await bring(2);
    await expect.poll(total, { timeout: 10_000 }).toBe(16);
    await source.sweeps.publish(line.publishedSweep({ seeds: 3 }));
    await expect.poll(total, { timeout: 10_000 }).toBe(24);
    await bring(4);
    await source.sweeps.publish({ ...line.publishedSweep({}, 'marker'), by: 'trainer' });
    await line.untilSweep(reader, 'marker');
    expect(total()).toBe(24);
  });

  it('shows a sweep no more that was withdrawn, until its owner says it again', async () => {
    const { source, folder, read } = await begin(10);
    const reader = await read();
    await line.untilFolded(reader, 10);
    await source.sweeps.withdraw({ withdrawn: 'test' });
    const status = async (from: line.Reader) => (await from.get('/api/sweeps/test')).status;
    await expect.poll(() => status(reader), { timeout: 10_000 }).toBe(404);
    // Pods that are about to end still bring it along.
    await source.sweeps.publish({ ...sweep, by: 'trainer' });
    await source.sweeps.publish(line.publishedSweep({}, 'marker'));
    await line.untilSweep(reader, 'marker');
    expect(await status(reader)).toBe(404);
    await reader.end();
    await source.sweeps.publish(line.publishedSweep({}, 'another'));
    const again = await line.startReader(source.server.url, folder);
    await line.untilSweep(again, 'another');
    expect(await status(again)).toBe(404);
    await source.sweeps.publish(sweep);
    await line.untilSweep(again);
    expect(await tableOf(again)).toBe(tableOfFirst(10));
  });

  it('keeps what is recorded when a grid grows, and how old the sweep is', async () => {
    const { source, read } = await begin(24);
    const reader = await read();
    await line.untilState(reader, 'complete');
    const since = () => reader.aggregator.boards.get('test')!.published.since;
    const begun = since();
    expect(begun).toBeGreaterThan(Date.now() - 60_000);
    expect(begun).toBeLessThanOrEqual(Date.now());
    const grown = line.publishedSweep({ seeds: 4 });
    await source.sweeps.publish(grown);
    await line.untilState(reader, 'waiting');
    expect(reader.aggregator.boards.get('test')!.counts).toEqual({ total: 32, recorded: 24, failed: 0, missing: 8 });
    expect(await tableOf(reader)).toBe(tableCsv(cells(line.pointsOf(grown), line.byId(records))));
    expect(since()).toBe(begun);
  });
});
