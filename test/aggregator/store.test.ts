import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Board } from '../../aggregator/board';
import { STORE_FILE, Store } from '../../aggregator/store';
import type { LedgerMessage } from '../../bus/bus';
import { cells } from '../../sweep/cells';
import { UsageError } from '../../sweep/errors';
import { recordOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';
import { byId, messagesOf, pointsOf, publishedSweep, recordEntry, recordsOf } from './line';

const sweep = publishedSweep();
const points = pointsOf(sweep);
const records = recordsOf(sweep);
const head = `\u0000"'\n${'x'.repeat(195)}\ud83d`;
const messages = messagesOf([
  ...records.slice(0, 5).map(recordEntry),
  { kind: 'failure', failure: { trial: points[7]!.trial.id, reason: "it diverged at 'fc1'" } },
  { kind: 'conflict', trial: points[1]!.trial.id, text: JSON.stringify({ record: records[1] }) },
  { kind: 'poison', subject: 'prunesweep.record.x', reason: 'not valid JSON', bytes: 2 ** 33, head },
  ...records.slice(9).map(recordEntry),
]);
const LAST = messages.at(-1)!.sequence;
const FACTS = messages.filter(({ entry }) => entry.kind !== 'poison').map(({ sequence }) => sequence);

async function open(folder = temporaryFolder()): Promise<{ store: Store; said: string[]; folder: string }> {
  const said: string[] = [];
  const store = await Store.open(folder, (line) => said.push(line));
  onTestFinished(() => store.close());
  return { store, said, folder };
}

async function filled(): Promise<{ store: Store; folder: string }> {
  const { store, folder } = await open();
  await store.begin('ledger 1');
  await store.putSweep(sweep);
  await store.append(messages);
  return { store, folder };
}

/** All that a store answers. */
async function contentOf(store: Store) {
  const board = new Board(sweep, await store.board('test'));
  return {
    ...{ cells: board.cells, counts: board.counts, position: store.position, sweeps: await store.sweeps() },
    trials: await store.trials('test', {}, -1, 1000),
    told: await store.factsAfter('test', 0, 1000),
    quarantine: await store.quarantine(-1, 10),
    one: await Promise.all([0, 1, 7, 8].map((point) => store.trial(points[point]!.trial.id))),
  };
}

describe('the store', () => {
  it('says what the ledger says: records, failures, conflicts, and what is none of these', async () => {
    const { store } = await filled();
    const { counts, trials, quarantine, one, told, ...rest } = await contentOf(store);
    expect(told.map(({ sequence }) => sequence)).toEqual(FACTS);
    expect(counts).toEqual({ total: 24, recorded: 20, failed: 1, missing: 3 });
    expect(trials.map(({ id }) => id)).toEqual(points.map(({ trial }) => trial.id));
    expect(trials.map(({ accuracy }) => accuracy)).toEqual(
      records.map(({ test }, at) => (at >= 5 && at < 9 ? null : test.correct / 10000)),
    );
    expect(trials[7]).toMatchObject({ failure: "it diverged at 'fc1'", sequence: null });
    const poison = { sequence: 22, subject: 'prunesweep.record.x', reason: 'not valid JSON', bytes: 2 ** 33 };
    expect(quarantine).toEqual([{ ...poison, head: expect.stringMatching(/^\0"'\nx{195}/) }]);
    expect(one.map((found) => Object.keys(found))).toEqual([
      ['isRecorded'],
      ['isRecorded', 'conflict'],
      ['isRecorded', 'failure'],
      ['isRecorded'],
    ]);
    expect(one.map(({ isRecorded }) => isRecorded)).toEqual([true, true, false, false]);
    expect(rest.position).toEqual({ ledger: 'ledger 1', last: LAST, stamp: messages.at(-1)!.stamp });
    expect(rest.sweeps).toEqual([sweep]);
    expect(await store.counts()).toEqual({ records: 20, quarantined: 1, conflicts: 1 });
  });

  it('is the same however its messages come together, with the sweep before or after them', async () => {
    const expected = await contentOf((await filled()).store);
    const cuts = fc.uniqueArray(fc.nat(messages.length), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (at, isFirst) => {
        const { store } = await open();
        await store.begin('ledger 1');
        if (isFirst) await store.putSweep(sweep);
        const ends = [...at, messages.length].sort((a, b) => a - b);
        for (const [index, end] of ends.entries()) {
          const batch = messages.slice(ends[index - 1] ?? 0, end);
          if (batch.length > 0) await store.append(batch);
        }
        if (!isFirst) await store.putSweep(sweep);
        expect(await contentOf(store)).toEqual(expected);
      }),
      { numRuns: 10 },
    );
  });

  it('is there again after it was closed, and after a kill: as the disk had it at any moment', async () => {
    const { store, folder } = await filled();
    const expected = await contentOf(store);
    const killed = temporaryFolder();
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(killed, name));
    store.close();
    for (const place of [folder, killed]) {
      const again = await open(place);
      expect(again.said).toEqual([]);
      expect(again.store.id).toBe(store.id);
      expect(await contentOf(again.store)).toEqual(expected);
    }
  });

  it('takes all of a batch or none', async () => {
    const { store } = await filled();
    const before = await contentOf(store);
    const bad = { kind: 'record', record: { ...records[6]!, engine: 5 as unknown as string } } as const;
    const batch: LedgerMessage[] = [recordEntry(records[5]!), bad].map((entry, index) => ({
      ...{ sequence: LAST + 1 + index, stamp: 'x', entry },
    }));
    await expect(store.append(batch)).rejects.toThrow();
    expect(await contentOf(store)).toEqual(before);
    await store.append(batch.slice(0, 1));
    expect((await contentOf(store)).counts.recorded).toBe(21);
  });

  it('keeps what is recorded when the grid of a sweep changes', async () => {
    const { store } = await filled();
    await store.putSweep(publishedSweep({ seeds: 4 }));
    expect((await store.factsAfter('test', 0, 1000)).length).toBe(FACTS.length);
    expect(await store.trials('test', { seed: 4 }, -1, 100)).toHaveLength(8);
  });

  it('has views that agree with the table, for any records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(23), fc.nat(10000)), { maxLength: 40 }), async (drawn) => {
        const some = [...byId(drawn.map(([at, correct]) => recordOf(points[at]!, correct))).values()];
        const { store, folder } = await open();
        await store.putSweep(sweep);
        if (some.length > 0) await store.append(messagesOf(some.map(recordEntry)));
        store.close();
        const rows = await query(join(folder, STORE_FILE), 'SELECT * FROM cells');
        const table = cells(points, byId(some));
        expect(
          rows.map(({ network, recipe, n, n_of }) => ({ network, recipe, n: Number(n), N: Number(n_of) })),
        ).toEqual(table.map(({ network, recipe, n, N }) => ({ network, recipe, n, N })));
        for (const [at, { mean, sd, remainingWeights, pruneRatio }] of table.entries()) {
          expect(rows[at]).toMatchObject({
            sweep: 'test',
            remaining_weights: remainingWeights,
            prune_ratio: pruneRatio,
          });
          for (const [name, value] of [
            ['mean', mean],
            ['sd', sd],
          ] as const)
            if (value === undefined) expect(rows[at]![name]).toBeNull();
            else expect(Math.abs((rows[at]![name] as number) - value)).toBeLessThan(1e-12);
        }
        const trials = await query(join(folder, STORE_FILE), 'SELECT * FROM trials ORDER BY point');
        expect(trials.map(({ trial_id }) => trial_id)).toEqual(points.map(({ trial }) => trial.id));
        for (const { trial_id, test_correct, test_loss, engine } of trials) {
          const record = byId(some).get(String(trial_id));
          expect({ test_correct, test_loss, engine }).toEqual({
            test_correct: record?.test.correct ?? null,
            test_loss: record?.test.loss ?? null,
            engine: record?.engine ?? null,
          });
        }
      }),
      { numRuns: 8 },
    );
  });
});

async function query(path: string, sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

/** Each damages a file at a path. */
const overwrite = (from: number, to: number) => (path: string) => {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, Math.floor(from * bytes.length), Math.ceil(to * bytes.length));
  writeFileSync(path, bytes);
};
const DAMAGES: Record<string, (path: string) => void> = {
  'overwritten at its beginning': overwrite(0, 0.001),
  'overwritten in the middle': overwrite(0.1, 0.9),
  'overwritten throughout': overwrite(0, 1),
  'cut off': (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
  'cut off after its header': (path) => truncateSync(path, 12288),
  'another thing': (path) => writeFileSync(path, 'not a store\n'.repeat(1000)),
  empty: (path) => writeFileSync(path, ''),
};

describe('a damaged store', () => {
  it.each(Object.entries(DAMAGES))('is made again, says so, and is kept beside: %s', async (_, damage) => {
    const { store, folder } = await filled();
    const path = join(folder, STORE_FILE);
    store.close();
    damage(path);
    const bytes = readFileSync(path);
    const again = await open(folder);
    expect(again.said).toEqual([expect.stringMatching(/sweeps\.duckdb: .+; it is made again from the ledger$/)]);
    expect(again.store.position).toEqual({ ledger: '', last: 0, stamp: '' });
    expect(again.store.id).not.toBe(store.id);
    if (bytes.length > 0) expect(readFileSync(`${path}.old`).equals(bytes)).toBe(true);
    await again.store.putSweep(sweep);
    await again.store.append(messages);
    expect((await contentOf(again.store)).counts.recorded).toBe(20);
  });

  it('is what it was, or is made again, when it is its log that is damaged', async () => {
    const { store, folder } = await filled();
    const expected = await contentOf(store);
    const log = readFileSync(join(folder, `${STORE_FILE}.wal`));
    const file = readFileSync(join(folder, STORE_FILE));
    for (const damaged of [
      Buffer.alloc(5000, 0xa5),
      log.subarray(0, log.length - 7),
      log.subarray(0, log.length >> 1),
      Buffer.from(log).fill(0xa5, log.length >> 1),
    ]) {
      const place = temporaryFolder();
      writeFileSync(join(place, STORE_FILE), file);
      writeFileSync(join(place, `${STORE_FILE}.wal`), damaged);
      const { store: again, said } = await open(place);
      expect(again.position.last === 0 || said.length === 0).toBe(true);
      if (said.length > 0) expect(existsSync(join(place, `${STORE_FILE}.old`))).toBe(true);
      // From wherever it is it can be gone on with.
      if ((await again.sweeps()).length === 0) await again.putSweep(sweep);
      await again.begin('ledger 1');
      const fresh = again.position.last === 0 ? await again.counts() : undefined;
      if (fresh?.records === 0) await again.append(messages);
      expect((await contentOf(again)).told).toEqual(expected.told);
    }
  });

  it('of another version is made again', async () => {
    const { store, folder } = await filled();
    store.close();
    await query(join(folder, STORE_FILE), "UPDATE meta SET value = '0' WHERE key = 'version'");
    const again = await open(folder);
    expect(again.said[0]).toContain('a store of version 0, this program keeps version 5; it is made again');
    expect(again.store.position.last).toBe(0);
  });

  it('that another process has is left alone, and who it is told how to mend that', async () => {
    const { store, folder } = await filled();
    store.close();
    const bytes = readFileSync(join(folder, STORE_FILE));
    const child = await holding(join(folder, STORE_FILE));
    await expect(Store.open(folder, () => {})).rejects.toThrow(UsageError);
    await expect(Store.open(folder, () => {})).rejects.toThrow('another process has the store; end it, or choose');
    expect(readFileSync(join(folder, STORE_FILE)).equals(bytes)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const again = await open(folder);
    expect(again.said).toEqual([]);
    expect(again.store.position.last).toBe(LAST);
  });
});

/** A process that has a database open. */
async function holding(path: string): Promise<ChildProcess> {
  const program = `require(process.argv[2]).DuckDBInstance.create(process.argv[1])
    .then((it) => { globalThis.it = it; console.log('open'); setInterval(() => {}, 1000); })`;
  const child = spawn(process.execPath, ['-e', program, path, require.resolve('@duckdb/node-api')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout!, 'data');
  return child;
}
