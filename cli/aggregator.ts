/** `prunesweep aggregator`: folds what NATS holds into tables, and serves them. */
import type { Logger } from 'pino';
import { Aggregator } from '../aggregator/aggregator';
import { apiOf } from '../aggregator/http/server';
import { connectNats, type NatsLink, type NatsOptions } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { NatsNews } from '../bus/nats/news';
import { ensureStreams } from '../bus/nats/streams';
import { NatsSweeps } from '../bus/nats/sweeps';
import { version } from '../package.json';
import { UsageError } from '../sweep/errors';
import type { SweepDefinition } from '../sweep/spec';
import { log } from './log';
import { loadSweep } from './sweepfile';

export interface AggregatorOptions {
  store: string;
  /** `HOST:PORT`, or `:PORT` for every address of this machine. */
  http: string;
  /** Sweep files. */
  sweep: string[];
  nats: NatsOptions;
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(.*?):?(\d+)$/.exec(address);
  const port = Number(match?.[2]);
  if (match === null || port > 65535)
    throw new UsageError(
      `--http: ${address} is no address; give HOST:PORT, or :PORT for every address of this machine`,
    );
  const host = match[1]!.replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '::' : host, port };
}

/** Works until it is told to end. */
export async function aggregator({ store, http, sweep: files, nats }: AggregatorOptions): Promise<void> {
  const address = parseAddress(http);
  const definitions = files.map(loadSweep);
  const logger = log('aggregator');
  const link = await connectNats(nats, 'prunesweep aggregator', (line) => logger.warn(line));
  try {
    await serve(link, store, address, definitions, logger);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new UsageError(`--http: ${http}: ${code}: choose another address or port`);
    throw error;
  } finally {
    await link.connection.close();
  }
}

async function serve(
  link: NatsLink,
  store: string,
  address: { host: string; port: number },
  definitions: readonly SweepDefinition[],
  logger: Logger,
): Promise<void> {
  const sweeps = new NatsSweeps(link);
  const folding = await Aggregator.open(
    {
      ledger: await NatsLedger.open(link),
      news: new NatsNews(link),
      sweeps,
      prepare: () => ensureStreams(link),
      onLost: (listener) => link.onLost(listener),
    },
    store,
    logger,
  );
  const server = await apiOf(folding, version, logger);
  const running = folding.run();
  const end = () => {
    folding.stop();
    // Whatever still waits for NATS must not wait for ever.
    void link.connection.close();
  };
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  try {
    await Promise.race([server.listen(address), running]);
    const since = Date.now();
    const published = definitions.map((definition) => sweeps.publish({ definition, by: 'owner', since }));
    await Promise.race([running, Promise.all(published).then(() => running)]);
  } finally {
    end();
    server.server.closeAllConnections();
    await server.close();
    await running.catch(() => {});
  }
}
