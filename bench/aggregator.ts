/**
 * `npm run bench -- aggregator`: the line from NATS to the table, with 100,000 records that are made up but true to their
 * schema. The last line is JSON.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { connectNats, type NatsLink } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { ensureStreams } from '../bus/nats/streams';
import { RECORDS, recordSubject } from '../bus/nats/subjects';
import { NatsSweeps } from '../bus/nats/sweeps';
import { encodeCounts } from '../sweep/counts';
import { eachGridPoint, gridPoints } from '../sweep/grid';
import { median } from '../sweep/statistics';
import { document, MNIST, recordOf, sweepOf } from '../test/fixtures';
import { NatsServer } from '../test/servers/natsserver';
import { obtainNats } from '../test/servers/obtain';
import { freePort } from '../test/servers/port';
import { spread } from './statistics';

const CLI = join(__dirname, '..', 'dist', 'cli.js');
const PUBLISHED_EACH = 3000;
const QUERIES = 1000;
const RUNS = 5;
/** Publications under way at once while the stream is filled, which is not measured. */
const TOGETHER = 1000;

/** 100 networks x 10 recipes x 10 ratios x 10 seeds. */
export const SPEC = {
  hiddenWidths: Array.from({ length: 100 }, (_, index) => [100 + 10 * index]),
  pruneRatios: [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999],
  seeds: 10,
  recipes: (['masked', 'regrow', 'none'] as const)
    .flatMap((recovery) =>
      (['magnitude', 'random'] as const).flatMap((criterion) =>
        (['global', 'layer'] as const).map((scope) => ({ criterion, scope, recovery })),
      ),
    )
    .slice(0, 10),
};

export const SWEEP = sweepOf(SPEC);

const log = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

async function publishedPerSecond(program: string, syncs: 'always' | '2m'): Promise<number[]> {
  const server = await NatsServer.start(program, { syncInterval: syncs });
  const records = gridPoints(sweepOf({ ...SPEC, seeds: 1 }).spec, MNIST).slice(0, 2 * RUNS * PUBLISHED_EACH);
  const links = [
    await connectNats({ url: server.url }, 'one', say),
    await connectNats({ url: server.url }, 'two', say),
  ];
  await ensureStreams(links[0]!);
  const rates: number[] = [];
  let next = 0;
  for (let run = 0; run < RUNS; run++) {
    const each = Math.floor(records.length / 2 / RUNS);
    const began = performance.now();
    await Promise.all(
      links.map(async (link) => {
        const ledger = await NatsLedger.open(link);
        for (let at = 0; at < each; at++) await ledger.publish(recordOf(records[next++]!, 9000 + (at % 900)));
      }),
    );
    rates.push((2 * each * 1000) / (performance.now() - began));
  }
  for (const { connection } of links) await connection.close();
  await server.stop();
  return rates;
}

/** A map of fc1 that could be: 20 columns of each of the 28 rows are read. */
export function mapOf(weights: number): string {
  const isRead = (input: number) => input % 28 > 3 && input % 28 < 24;
  const read = 28 * 20;
  const counts = Array.from({ length: MNIST.inputs }, (_, input) => (isRead(input) ? Math.floor(weights / read) : 0));
  counts[4]! += weights % read;
  return encodeCounts(counts);
}

/** @returns bytes of a record, on average */
async function fill(link: NatsLink): Promise<number> {
  const stream = link.connection.jetstream({ timeout: 60_000 });
  let pending: Promise<unknown>[] = [];
  let [bytes, count] = [0, 0];
  for (const point of eachGridPoint(SWEEP.spec, MNIST)) {
    const record = recordOf(point, 9000 + (count % 900));
    const text = JSON.stringify({ ...record, survivorsByInput: mapOf(record.remainingByLayer[0]!) });
    bytes += text.length;
    count++;
    pending.push(stream.publish(recordSubject(point.trial.id), text));
    if (pending.length < TOGETHER) continue;
    await Promise.all(pending);
    pending = [];
  }
  await Promise.all(pending);
  return bytes / count;
}

async function rawConsumePerSecond(link: NatsLink, count: number): Promise<number> {
  const consumer = await link.connection.jetstream().consumers.get(RECORDS, {});
  const messages = await consumer.consume({ max_messages: 4000 });
  const began = performance.now();
  let seen = 0;
  for await (const _ of messages) if (++seen === count) break;
  await messages.close();
  return (count * 1000) / (performance.now() - began);
}

export interface Running {
  child: ChildProcess;
  api: string;
  /** Seconds from its start to ready. */
  ready: number;
  /** Messages a second, from the first that it read to the last that was in the table; NaN when there was none. */
  folded: number;
}

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

export async function startAggregator(url: string, store: string): Promise<Running> {
  const port = await freePort();
  const began = performance.now();
  const child = spawn(
    process.execPath,
    [CLI, 'aggregator', '--nats', url, '--store', store, '--http', `127.0.0.1:${port}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr!.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const folded = () => {
    const [, messages, seconds] = /caught up: (\d+) messages of the ledger in ([\d.]+) s/.exec(said) ?? [];
    return Number(messages) / Number(seconds);
  };
  const api = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 60_000; tries++) {
    if ((await isOk(`${api}/readyz`)) && (await isOk(`${api}/api/sweeps/test`)))
      return { child, api, ready: (performance.now() - began) / 1000, folded: folded() };
    await sleep(25);
  }
  throw new Error('the aggregator is not ready after ten minutes');
}

export async function end({ child }: Running): Promise<void> {
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}

export const residentMegabytes = (pid: number, field: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;

async function queryMilliseconds(url: string): Promise<number[]> {
  const times: number[] = [];
  for (let query = 0; query < QUERIES; query++) {
    const began = performance.now();
    const answer = await fetch(url);
    await answer.arrayBuffer();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

/** Seconds that one worker takes for a sweep, by itself and through NATS, in turns. */
async function trainingOverhead(url: string, folder: string): Promise<{ alone: number[]; through: number[] }> {
  const spec = {
    hiddenWidths: [[300, 100]],
    pruneRatios: [0, 0.9, 0.98, 0.995],
    training: { epochs: 8 },
    recipes: [{}, { recovery: 'regrow' }],
  };
  const seconds = { alone: [] as number[], through: [] as number[] };
  for (let run = 0; run < 2 * RUNS; run++) {
    // Trials of its own for each run, so that none finds its records.
    const kind = run % 2 === 0 ? 'alone' : 'through';
    const file = join(folder, `${run}.yaml`);
    writeFileSync(file, stringify(document({ ...spec, seeds: [100 + run] }, `run-${run}`)));
    const args = ['run', file, '--out', join(folder, String(run)), '--workers', '1'];
    const began = performance.now();
    const child = spawn(process.execPath, [CLI, ...args, ...(kind === 'alone' ? [] : ['--nats', url])], {
      stdio: 'ignore',
    });
    const code = await new Promise((done) => child.once('exit', done));
    if (code !== 0) throw new Error(`a run ended with ${code}`);
    seconds[kind].push((performance.now() - began) / 1000);
  }
  return seconds;
}

export async function benchAggregator(): Promise<void> {
  const program = await obtainNats(say);
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  const [always, seldom] = [await publishedPerSecond(program, 'always'), await publishedPerSecond(program, '2m')];
  log(`published, two publishers, each acknowledged: ${spread(always, 0)} a second with sync always`);
  log(`                                              ${spread(seldom, 0)} with a sync each 2 minutes`);

  const server = await NatsServer.start(program);
  const link = await connectNats({ url: server.url }, 'bench', say);
  try {
    await ensureStreams(link);
    await new NatsSweeps(link).publish({ definition: { sweep: SWEEP, shape: MNIST }, by: 'owner' });
    const before = join(folder, 'before');
    await end(await startAggregator(server.url, before));
    const bytes = await fill(link);
    const total = [...eachGridPoint(SWEEP.spec, MNIST)].length;
    log(`${total} records of ${Math.round(bytes)} bytes`);
    const raw: number[] = [];
    const rebuilds: number[] = [];
    const folded: number[] = [];
    const restarts: number[] = [];
    const resident: number[] = [];
    let last: Running | undefined;
    for (let run = 0; run < RUNS; run++) {
      raw.push(await rawConsumePerSecond(link, total));
      if (last !== undefined) await end(last);
      const known = join(folder, `known-${run}`);
      cpSync(before, known, { recursive: true });
      const behind = await startAggregator(server.url, known);
      folded.push(behind.folded);
      await end(behind);
      const store = join(folder, `store-${run}`);
      const first = await startAggregator(server.url, store);
      rebuilds.push(first.ready);
      resident.push(residentMegabytes(first.child.pid!, 'VmHWM'));
      await end(first);
      last = await startAggregator(server.url, store);
      restarts.push(last.ready);
    }
    const queries = await queryMilliseconds(`${last!.api}/api/sweeps/test/table.json`);
    const quantile = (share: number) => queries[Math.floor(share * (queries.length - 1))]!;
    resident.push(residentMegabytes(last!.child.pid!, 'VmHWM'));
    await end(last!);
    log(`read by nats.js with no work: ${spread(raw, 0)} a second`);
    log(`folded into the store: ${spread(folded, 0)} a second`);
    log(`from nothing to a true table, the process's start included: ${spread(rebuilds, 2)} s`);
    log(`started again with its store: ${spread(restarts, 2)} s`);
    log(`table.json: ${quantile(0.5).toFixed(1)} ms, 99 of 100 within ${quantile(0.99).toFixed(1)} ms`);
    log(`most memory: ${spread(resident, 0)} MB`);
    const { alone, through } = await trainingOverhead(server.url, folder);
    const overheads = alone.map((seconds, run) => through[run]! / seconds);
    log(`a sweep by itself ${spread(alone, 1)} s, through NATS ${spread(through, 1)} s, ratio ${spread(overheads, 2)}`);
    log(
      JSON.stringify({
        published_per_s_sync_always: Math.round(median(always)),
        published_per_s_sync_2m: Math.round(median(seldom)),
        folded_per_s: Math.round(median(folded)),
        raw_consume_per_s: Math.round(median(raw)),
        table_query_ms: Number(quantile(0.99).toFixed(1)),
        restart_ready_s: Number(median(restarts).toFixed(2)),
        rebuild_s: Number(median(rebuilds).toFixed(2)),
        rss_mb: Math.round(Math.max(...resident)),
        training_overhead: Number(median(overheads).toFixed(3)),
      }),
    );
  } finally {
    await link.connection.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
