import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import Ajv2020 from 'ajv/dist/2020';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { tableCsv, trialsCsv } from '../../../aggregator/csv';
import { trialsParquet } from '../../../aggregator/parquet';
import { axesOf, tableJson, tableLatex, tableMarkdown } from '../../../aggregator/table';
import { conflictSubject, recordSubject } from '../../../bus/nats/subjects';
import { sweepYaml } from '../../../sweep/accept';
import { cells } from '../../../sweep/cells';
import { lineagesOf } from '../../../sweep/grid';
import { MNIST } from '../../fixtures';
import { temporaryFolder } from '../../idxfiles';
import { hasNats, whyNoNats } from '../../servers/nats';
import * as line from '../line';

const sweep = line.publishedSweep();
const points = line.pointsOf(sweep);
const records = line.recordsOf(sweep);
const { spec } = sweep.definition.sweep;

/** A source with the sweep and its first records, and a reader that has them. */
async function begin(count = 0) {
  const source = await line.startSource();
  await source.sweeps.publish(sweep);
  for (const record of records.slice(0, count)) await source.ledger.publish(record);
  const reader = await line.startReader(source.server.url);
  await line.untilSweep(reader);
  await line.untilFolded(reader, count);
  return { source, reader, ...reader };
}

/** On Linux; elsewhere none. */
const openFiles = () =>
  existsSync('/proc/self/fd')
    ? readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return []; // what listed the folder was among them
        }
      })
    : [];

const text = async (answer: Response) => {
  expect(answer.status).toBe(200);
  return answer.text();
};

describe.runIf(hasNats)(`the API${whyNoNats}`, () => {
  it('says how far each sweep is: waiting, running, failed, complete', async () => {
    const { source, reader, json } = await begin(3);
    await source.sweeps.publish(line.publishedSweep({}, 'another'));
    await line.untilSweep(reader, 'another');
    const all = await json('/api/sweeps');
    expect(all.map(({ name }: { name: string }) => name)).toEqual(['another', 'test']);
    expect(all[1]).toEqual(await json('/api/sweeps/test'));
    expect(all[1]).toMatchObject({
      ...{
        state: 'waiting',
        complete: false,
        timeLeftSeconds: null,
        networks: ['5', '4-3'],
        atWork: [],
        conflicts: [],
      },
      trials: { total: 24, recorded: 3, failed: 0, running: 0, missing: 21 },
      ledger: { ready: true, folded: 3, last: 3 },
    });
    expect(all[1].best).toEqual(JSON.parse(JSON.stringify(reader.aggregator.boards.get('test')!.best)));
    const { id: lineage } = lineagesOf(spec, MNIST)[0]!;
    source.news.pack({ sweep: 'test', pack: 'pack-0', lineages: [lineage] });
    await line.untilState(reader, 'running');
    expect(await json('/api/sweeps/test')).toMatchObject({
      ...{ atWork: [{ pack: 'pack-0', lineage }], trials: { running: 1 } },
    });
    source.news.pack({ sweep: 'test', pack: 'pack-0', lineages: [] });
    await line.untilState(reader, 'waiting');
    await source.ledger.fail({ trial: records[23]!.id, reason: 'it diverged' });
    for (const record of records.slice(3, 23)) await source.ledger.publish(record);
    await line.untilState(reader, 'failed');
    expect((await json('/api/sweeps/test')).trials).toMatchObject({ recorded: 23, failed: 1, missing: 0 });
    expect(await json(`/api/trials/${records[23]!.id}`)).toEqual({ failure: 'it diverged' });
    await source.ledger.publish(records[23]!);
    await line.untilState(reader, 'complete');
    expect(await json('/api/sweeps/test')).toMatchObject({ complete: true, trials: { failed: 0, recorded: 24 } });
  });

  it('serves the tables and trials byte for byte as the command line writes them', async () => {
    const { source, reader, get } = await begin();
    for (const count of [0, 17, 24]) {
      for (const record of records.slice(0, count)) await source.ledger.publish(record);
      await line.untilFolded(reader, count);
      const some = line.byId(records.slice(0, count));
      const [table, axes] = [cells(points, some), axesOf(spec, MNIST)];
      const at = async (file: string) => text(await get(`/api/sweeps/test/${file}`));
      expect(await at('table.json')).toBe(tableJson(table));
      expect(await at('table.csv')).toBe(tableCsv(table));
      expect(await at('table.md')).toBe(tableMarkdown(table, axes));
      expect(await at('table.tex')).toBe(tableLatex(table, axes));
      expect(await at('sweep.yaml')).toBe(sweepYaml(sweep.definition.sweep));
      expect(await at('trials.csv')).toBe(trialsCsv(points, some));
      const parquet = Buffer.from(await (await get('/api/sweeps/test/trials.parquet')).arrayBuffer());
      expect(parquet.equals(Buffer.from(trialsParquet(points, some)))).toBe(true);
    }
  });

  it('answers 304 until the table changes', async () => {
    const { source, reader, get } = await begin(2);
    const path = '/api/sweeps/test/table.csv';
    const tag = (await get(path)).headers.get('etag')!;
    expect((await get(path, { 'if-none-match': tag })).status).toBe(304);
    await source.ledger.publish(records[2]!);
    await line.untilFolded(reader, 3);
    const changed = await get(path, { 'if-none-match': tag });
    expect(changed.status).toBe(200);
    expect(changed.headers.get('etag')).not.toBe(tag);
  });

  it('pages through the trials, and filters them', async () => {
    const { source, reader, json } = await begin(5);
    await source.ledger.fail({ trial: records[9]!.id, reason: 'it diverged' });
    await line.untilFolded(reader, 6);
    const pages = [];
    for (let after = -1; after !== null; ) {
      const { trials, next } = await json(`/api/sweeps/test/trials?limit=8&after=${after}`);
      pages.push(trials);
      after = next;
    }
    expect(pages.map((page) => page.length)).toEqual([8, 8, 8]);
    expect(pages.flat().map(({ id }) => id)).toEqual(points.map(({ trial }) => trial.id));
    expect(pages.flat()[0]).toMatchObject({ state: 'recorded', accuracy: records[0]!.test.correct / 10000, seed: 1 });
    const found = async (query: string) =>
      (await json(`/api/sweeps/test/trials?${query}`)).trials.map(({ point }: { point: number }) => point);
    const where = (holds: (at: number) => boolean) => [...points.keys()].filter(holds);
    expect(await found('state=recorded')).toEqual([0, 1, 2, 3, 4]);
    expect(await found('state=failed')).toEqual([9]);
    expect(await found('state=missing')).toEqual(where((at) => at > 4 && at !== 9));
    expect(await found('network=4-3')).toEqual(where((at) => points[at]!.network === '4-3'));
    const recipe = points[0]!.recipeName;
    expect(await found(`recipe=${recipe}`)).toEqual(where((at) => points[at]!.recipeName === recipe));
    expect(await found('seed=2')).toEqual(where((at) => points[at]!.seed === 2));
    expect(await found('remainingWeights=397')).toEqual(
      where((at) => points[at]!.trial.content.remainingWeights === 397),
    );
    expect(await found('seed=2&network=5&state=recorded')).toEqual([1, 4]);
    expect(await json(`/api/trials/${records[3]!.id}`)).toEqual({ record: records[3] });
  });

  it('puts what is no record aside, and goes on with what is one', async () => {
    const { source, reader, json, get } = await begin();
    const bad = [
      'not JSON',
      '{"version":1}',
      JSON.stringify({ ...records[0], version: 99 }),
      JSON.stringify({ ...records[0], id: 'f'.repeat(64) }),
      JSON.stringify(records[7]),
      'x'.repeat(1_000_000),
      `\u0000\u0001${'\ud83d\ude00'.repeat(150)}`.replace('\u0001', 'x'),
      Buffer.from([0xff, 0x00, 0xfe]),
      '',
    ];
    for (const [at, what] of bad.entries()) {
      await source.raw.jetstream().publish(recordSubject(`poison${at}`), what);
      await source.ledger.publish(records[at]!);
    }
    await line.untilFolded(reader, 2 * bad.length);
    const first = await json('/api/quarantine?limit=5');
    const second = await json(`/api/quarantine?limit=5&after=${first.next}`);
    expect([first.messages.length, first.next, second.messages.length, second.next]).toEqual([5, 9, 4, null]);
    const found = [...first.messages, ...second.messages];
    expect(found.map(({ sequence }) => sequence)).toEqual(bad.map((_, at) => 2 * at + 1));
    expect(found.map(({ subject }) => subject)).toEqual(bad.map((_, at) => recordSubject(`poison${at}`)));
    expect(found.map(({ bytes }) => bytes)).toEqual(bad.map((what) => Buffer.byteLength(what)));
    expect(found[4].reason).toBe(`the record of trial ${records[7]!.id}, in the place of another`);
    expect(found[5].head).toBe('x'.repeat(200));
    expect((await json('/api/sweeps/test')).trials.recorded).toBe(bad.length);
    expect(reader.aggregator.rebuilds).toBe(0);
    expect(await text(await get('/metrics'))).toContain(`\nprunesweep_quarantined ${bad.length}\n`);
  });

  it('shows the alarm when a trial was measured twice with different results, and no false one', async () => {
    const { source, reader, json, get } = await begin(3);
    const other = { ...records[1]!, test: { ...records[1]!.test, correct: 1 } };
    await expect(source.ledger.publish(other)).rejects.toThrow('measured twice');
    await source.raw.jetstream().publish(conflictSubject(records[2]!.id), 'not JSON');
    await line.untilFolded(reader, 5);
    expect((await json('/api/sweeps/test')).conflicts).toEqual([records[1]!.id]);
    const { messages } = await json('/api/quarantine');
    expect(messages).toMatchObject([{ head: 'not JSON', reason: 'not a conflict as trainers publish it' }]);
    expect(await json(`/api/trials/${records[1]!.id}`)).toMatchObject({
      record: records[1],
      conflict: { record: other },
    });
    expect(await json(`/api/trials/${records[2]!.id}`)).toEqual({ record: records[2] });
    const metrics = await text(await get('/metrics'));
    expect(metrics).toContain('\nprunesweep_conflicts 1\n');
    expect(metrics).toContain('\nprunesweep_trials{sweep="test",state="recorded"} 3\n');
    expect(metrics).toContain('\nprunesweep_ready 1\n');
  });

  it('is not ready while NATS is away, says nothing is complete then, and is ready again after', async () => {
    const { source, reader, get, json } = await begin(24);
    expect([(await get('/readyz')).status, await line.stateOf(reader)]).toEqual([200, 'complete']);
    await source.server.kill();
    await expect.poll(async () => (await get('/readyz')).status).toBe(503);
    expect(await json('/readyz')).toEqual({ status: 'not ready', reason: 'the ledger is away', folded: 24 });
    expect(await json('/api/sweeps/test')).toMatchObject({ state: 'unknown', complete: false });
    expect((await get('/healthz')).status).toBe(200);
    expect(await text(await get('/api/sweeps/test/table.csv'))).toBe(tableCsv(cells(points, line.byId(records))));
    await source.server.begin();
    await line.untilState(reader, 'complete');
    expect((await get('/readyz')).status).toBe(200);
    expect(reader.aggregator.rebuilds).toBe(0);
  });

  it('ends when it is told to while NATS is away', async () => {
    const { source, end } = await begin(1);
    await source.server.kill();
    await end();
  });

  it('gives copies of the store, several at once, that any DuckDB opens', async () => {
    const { get } = await begin(6);
    const path = '/api/store.duckdb';
    for (const answer of await Promise.all([get(path), get(path), get(path)])) {
      expect(answer.status).toBe(200);
      const copy = join(temporaryFolder(), 'copy.duckdb');
      writeFileSync(copy, Buffer.from(await answer.arrayBuffer()));
      const instance = await DuckDBInstance.create(copy);
      const connection = await instance.connect();
      const rows = await connection.runAndReadAll('SELECT count(test_accuracy)::INT, count(*)::INT FROM trials');
      expect(rows.getRows()).toEqual([[6, 24]]);
      connection.closeSync();
      instance.closeSync();
    }
  });

  it('leaves no copy of the store behind, whoever goes away', async () => {
    const { url } = await begin(6);
    const folder = temporaryFolder();
    vi.stubEnv('TMPDIR', folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const path = `${url}/api/store.duckdb`;
    for (const after of [0, 1, 2, 5, 10, 20, 50, 100])
      await fetch(path, { signal: AbortSignal.timeout(after) }).catch(() => undefined);
    expect((await fetch(path, { method: 'HEAD' })).status).toBe(200);
    await expect.poll(() => readdirSync(folder)).toEqual([]);
    await expect.poll(() => openFiles().filter((file) => file.startsWith(folder))).toEqual([]);
  });

  it('refuses with the reason', async () => {
    const { get } = await begin();
    for (const [path, status, reason] of [
      ['/api/sweeps/nobody', 404, 'nobody: there is no such sweep; there are test'],
      ['/api/sweeps/nobody/table.csv', 404, 'there is no such sweep'],
      ['/api/sweeps/nobody/trials', 404, 'there is no such sweep'],
      ['/api/sweeps/nobody/trials.csv', 404, 'there is no such sweep'],
      ['/api/sweeps/nobody/trials.parquet', 404, 'there is no such sweep'],
      ['/api/sweeps/nobody/events', 404, 'there is no such sweep'],
      [`/api/trials/${'f'.repeat(64)}`, 404, 'nothing is recorded of a trial of this id'],
      ['/elsewhere', 404, '/elsewhere: there is no such page; /openapi.json says what there is'],
      ['/api/sweeps/test/trials?limit=0', 400, 'limit must be >= 1'],
      ['/api/sweeps/test/trials?after=x', 400, 'after must be integer'],
      ['/api/sweeps/test/trials?state=lost', 400, 'state must be equal to one of the allowed values'],
      ['/api/sweeps/test/trials?sneed=1', 400, 'must NOT have additional properties'],
      ['/api/quarantine?limit=1001', 400, 'limit must be <= 1000'],
      // These were taken for a damaged store, which was made again.
      ['/api/sweeps/test/trials?seed=1e308', 400, 'seed must be <= 9007199254740991'],
      ['/api/sweeps/test/trials?remainingWeights=1e19', 400, 'remainingWeights must be <= 9007199254740991'],
      ['/api/quarantine?after=18446744073709551616', 400, 'after must be <= 9007199254740991'],
      ['/api/quarantine?limit=1e309', 400, 'limit must be <= 1000'],
      ['/api/sweeps/test/trials?seed=-1e309', 400, 'seed must be >= -9007199254740991'],
    ] as const) {
      const answer = await get(path);
      expect([path, answer.status]).toEqual([path, status]);
      expect(((await answer.json()) as { error: string }).error).toContain(reason);
    }
  });

  it('describes itself in OpenAPI 3.1, each route with its parameters and schemas', async () => {
    const { json } = await begin();
    const { openapi, info, paths } = await json('/openapi.json');
    expect([openapi, Object.keys(info)]).toEqual(['3.1.0', expect.arrayContaining(['title', 'version'])]);
    const files = [
      '',
      '/compare/{other}',
      '/sweep.yaml',
      '/cells',
      '/events',
      '/trials',
      '/trials.csv',
      '/trials.parquet',
    ];
    const tables = ['json', 'csv', 'md', 'tex'].map((format) => `/table.${format}`);
    expect(Object.keys(paths).sort()).toEqual(
      [
        ...[...files, ...tables].map((file) => `/api/sweeps/{name}${file}`),
        ...['/api/sweeps', '/api/trials/{id}', '/api/quarantine', '/api/store.duckdb'],
        ...['/metrics', '/healthz', '/readyz', '/openapi.json'],
      ].sort(),
    );
    const ajv = new Ajv2020({ strict: false });
    for (const [path, { get, ...others }] of Object.entries<Record<string, line.Answer>>(paths)) {
      expect(others).toEqual({});
      expect(get.summary).toMatch(/\w/);
      const parameters: line.Answer[] = get.parameters ?? [];
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(inPath.every(({ required }) => required === true)).toBe(true);
      for (const { schema } of parameters) ajv.compile(schema);
      expect(Object.keys(get.responses).length).toBeGreaterThan(0);
      for (const [code, { description, content }] of Object.entries<line.Answer>(get.responses)) {
        expect([code, typeof description]).toEqual([expect.stringMatching(/^([1-5]\d\d|default)$/), 'string']);
        for (const { schema } of Object.values<line.Answer>(content ?? {})) ajv.compile(schema);
      }
    }
  });
});

interface Event {
  id?: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer over the wire has no type
  data: any;
}

/** Events until there are so many records among them. */
async function eventsOf(reader: line.Reader, recorded: number, lastId?: string): Promise<Event[]> {
  const ended = new AbortController();
  const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
  const answer = await fetch(`${reader.url}/api/sweeps/test/events`, { headers, signal: ended.signal });
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const found: Event[] = [];
  let rest = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n\n');
    rest = parts.pop()!;
    for (const part of parts.filter((one) => !one.startsWith(':'))) {
      const { data, ...fields } = Object.fromEntries(part.split('\n').map((field) => field.split(/: (.*)/s))) as Record<
        string,
        string
      >;
      found.push({ ...fields, data: JSON.parse(data!) } as Event);
    }
    if (found.filter(({ event }) => event === 'record').length >= recorded) break;
  }
  ended.abort();
  return found;
}
const facts = (events: readonly Event[]) => events.filter(({ id }) => id !== undefined);
const ids = (events: readonly Event[]) => facts(events).map(({ data }) => data.id);

describe.runIf(hasNats)(`live events${whyNoNats}`, () => {
  it('come in the order of the ledger, and go on after the last id without gap or repetition', async () => {
    const { source, reader } = await begin(3);
    const early = eventsOf(reader, 8);
    await source.ledger.fail({ trial: records[20]!.id, reason: 'it diverged' });
    for (const record of records.slice(3, 8)) await source.ledger.publish(record);
    const events = await early;
    expect(ids(events)).toEqual([...records.slice(0, 3), records[20]!, ...records.slice(3, 8)].map(({ id }) => id));
    const store = facts(events)[0]!.id!.split('-')[0];
    expect(facts(events).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) => `${store}-${at}`));
    expect(facts(events)[3]).toMatchObject({ event: 'failure', data: { failure: 'it diverged', point: 20 } });
    expect(events.some(({ event }) => event === 'reset')).toBe(false);
    expect(events.find(({ event }) => event === 'status')!.data).toMatchObject({ name: 'test', trials: { total: 24 } });
    for (const record of records.slice(8, 12)) await source.ledger.publish(record);
    for (const from of [2, 5]) {
      const resumed = await eventsOf(reader, from === 2 ? 9 : 7, facts(events)[from]!.id);
      expect([...ids(events).slice(0, from + 1), ...ids(resumed)].slice(0, 13)).toEqual(
        [...ids(events), ...records.slice(8, 12).map(({ id }) => id)].slice(0, 13),
      );
      expect(resumed.some(({ event }) => event === 'reset')).toBe(false);
    }
  });

  it('begin anew, and say so, when the grid grew or the store was made again', async () => {
    const { source, reader } = await begin(2);
    const last = facts(await eventsOf(reader, 2)).at(-1)!.id!;
    const grown = line.publishedSweep({ seeds: 4 });
    const added = line.recordsOf(grown).find(({ id }) => !line.byId(records).has(id))!;
    const running = eventsOf(reader, 5);
    await source.ledger.publish(added);
    await line.untilFolded(reader, 3);
    await source.sweeps.publish(grown);
    const events = await running;
    expect(events.map(({ event }) => event).filter((event) => event !== 'status')).toEqual([
      'record',
      'record',
      'reset',
      'record',
      'record',
      'record',
    ]);
    expect(ids(events).slice(2)).toEqual([records[0]!.id, records[1]!.id, added.id]);
    const back = await eventsOf(reader, 3, last);
    expect(back[0]!.event).toBe('reset');
    expect(ids(back)).toEqual(ids(events).slice(2));
    const known = facts(back).at(-1)!.id!;
    const open = eventsOf(reader, 3, known);
    await new Promise((done) => setTimeout(done, 300));
    await source.raw.jetstreamManager().then((manager) => manager.streams.delete('RECORDS'));
    await expect.poll(() => reader.aggregator.rebuilds, { timeout: 20_000 }).toBeGreaterThan(0);
    await line.untilFolded(reader, 0);
    for (const record of records.slice(0, 3)) await source.ledger.publish(record);
    const after = await open;
    expect(after.map(({ event }) => event)).toContain('reset');
    expect(ids(after)).toEqual(records.slice(0, 3).map(({ id }) => id));
  });
});
