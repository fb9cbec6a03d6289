/** What stands between a trainer and a reader: a ledger, the aggregator of it, and its API, all real. */
import { connect, type NatsConnection } from 'nats';
import pino from 'pino';
import { expect, onTestFinished } from 'vitest';
import { Aggregator } from '../../aggregator/aggregator';
import { apiOf } from '../../aggregator/http/server';
import type { LedgerEntry, LedgerMessage, PublishedSweep } from '../../bus/bus';
import { connectNats } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
import { NatsNews } from '../../bus/nats/news';
import { ensureStreams } from '../../bus/nats/streams';
import { NatsSweeps } from '../../bus/nats/sweeps';
import { acceptSweep } from '../../sweep/accept';
import { type GridPoint, gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { document, MNIST, recordOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';
import { NatsServer } from '../servers/nats';

const SPEC = { hiddenWidths: [[5], [4, 3]], pruneRatios: [0, 0.9], seeds: 3, recipes: [{}, { recovery: 'none' }] };

/** A sweep of 24 trials, but for what is said. */
export const publishedSweep = (spec: object = {}, name = 'test'): PublishedSweep => ({
  ...{ definition: { sweep: acceptSweep(document({ ...SPEC, ...spec }, name), MNIST), shape: MNIST } },
  ...{ by: 'owner', since: Date.now() },
});

export const pointsOf = ({ definition: { sweep, shape } }: PublishedSweep): GridPoint[] =>
  gridPoints(sweep.spec, shape);

export const recordsOf = (sweep: PublishedSweep): TrialRecord[] =>
  pointsOf(sweep).map((point, index) => recordOf(point, 9000 + ((index * 7919) % 997)));

export const byId = (records: readonly TrialRecord[]) => new Map(records.map((record) => [record.id, record]));

export const recordEntry = (record: TrialRecord): LedgerEntry => ({
  ...{ kind: 'record', record },
});
export const messagesOf = (entries: readonly LedgerEntry[]): LedgerMessage[] =>
  entries.map((entry, index) => ({ sequence: 3 * index + 1, stamp: `stamp ${index}`, entry }));

/** A NATS with its streams, and who publishes there. */
export interface Source {
  server: NatsServer;
  ledger: NatsLedger;
  news: NatsNews;
  sweeps: NatsSweeps;
  raw: NatsConnection;
}

export async function startSource(): Promise<Source> {
  const server = await NatsServer.start();
  onTestFinished(() => server.stop());
  const link = await connectNats({ url: server.url }, 'trainer', () => {});
  const raw = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  onTestFinished(async () => {
    await raw.close();
    await link.connection.close();
  });
  await ensureStreams(link);
  return { server, ledger: await NatsLedger.open(link), news: new NatsNews(link), sweeps: new NatsSweeps(link), raw };
}

export interface Reader {
  aggregator: Aggregator;
  url: string;
  said: string[];
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  json(path: string): Promise<Answer>;
  end(): Promise<void>;
}
// biome-ignore lint/suspicious/noExplicitAny: an answer over the wire has no type
export type Answer = any;

/** The aggregator of what is at a URL of NATS, as the command line makes it. */
export async function startReader(url: string, folder = temporaryFolder(), host = '127.0.0.1'): Promise<Reader> {
  const said: string[] = [];
  const link = await connectNats({ url }, 'aggregator', (line) => said.push(line));
  const aggregator = await Aggregator.open(
    {
      ...{ ledger: await NatsLedger.open(link), news: new NatsNews(link), sweeps: new NatsSweeps(link) },
      prepare: () => ensureStreams(link),
      onLost: (listener) => link.onLost(listener),
    },
    folder,
    { info: () => {}, warn: (line) => said.push(line) },
  );
  const api = await apiOf(aggregator, '0.0.0', pino({ level: 'silent' }));
  const address = await api.listen({ host, port: 0 });
  const running = aggregator.run();
  // Who waits for the end is told; until then it is no unhandled rejection.
  running.catch(() => {});
  let ended: Promise<void> | undefined;
  const end = async () => {
    aggregator.stop();
    api.server.closeAllConnections();
    await api.close();
    await running;
    await link.connection.close();
  };
  const endOnce = () => {
    ended ??= end();
    return ended;
  };
  onTestFinished(endOnce);
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${address}${path}`, { headers });
  return {
    ...{ aggregator, url: address, said, get, end: endOnce },
    json: async (path) => (await get(path)).json(),
  };
}

const PATIENT = { timeout: 30_000, interval: 20 };

/** Waits until the table is what the ledger says, and so many of its messages are in it. */
export const untilFolded = (reader: Reader, folded: number) =>
  expect
    .poll(async () => {
      const { isReady, folded: place } = reader.aggregator.readiness;
      return { isReady, folded: place };
    }, PATIENT)
    .toEqual({ isReady: true, folded });

export const untilSweep = (reader: Reader, name = 'test') =>
  expect.poll(() => reader.aggregator.boards.has(name), PATIENT).toBe(true);

export const stateOf = async (reader: Reader, name = 'test'): Promise<string> =>
  (await reader.json(`/api/sweeps/${name}`)).state;
export const untilState = (reader: Reader, state: string, name = 'test') =>
  expect.poll(() => stateOf(reader, name), PATIENT).toBe(state);
