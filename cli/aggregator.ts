/** `prunesweep aggregator`: folds what NATS holds into tables, and serves them. */
import type { Logger } from 'pino';
import { Aggregator } from '../aggregator/aggregator';
import type { OwnNames } from '../aggregator/http/hosts';
import { apiOf } from '../aggregator/http/server';
import { connectNats, type NatsLink, type NatsOptions } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { NatsNews } from '../bus/nats/news';
import { ensureStreams } from '../bus/nats/streams';
import { NatsSweeps } from '../bus/nats/sweeps';
import { version } from '../package.json';
import type { SweepDefinition } from '../sweep/spec';
import { type Address, asUsage, parseAddress } from './address';
import { log } from './log';
import { loadSweep } from './sweepfile';

export interface AggregatorOptions {
  store: string;
  /** `HOST:PORT`, or `:PORT` for every address of this machine. */
  http: string;
  /** Names that it answers to, beside those that are its own anyway. */
  host: string[];
  /** It is asked through the API server of Kubernetes, by whatever name that has. */
  throughApiServer: boolean;
  /** Sweep files. */
  sweep: string[];
  /** Servers that keep each message of the streams that are made. */
  replicas: number;
  nats: NatsOptions;
}

/** Works until it is told to end. */
export async function aggregator(options: AggregatorOptions): Promise<void> {
  const { store, http, sweep: files, replicas, nats } = options;
  const address = parseAddress(http);
  const definitions = files.map(loadSweep);
  const logger = log('aggregator');
  const link = await connectNats(nats, 'prunesweep aggregator', (line) => logger.warn(line));
  try {
    const names = { hosts: options.host, isBehindApiServer: options.throughApiServer };
    await serve(link, { store, address, names, definitions, replicas }, logger);
  } catch (error) {
    throw asUsage(error, http);
  } finally {
    await link.connection.close();
  }
}

async function serve(
  link: NatsLink,
  {
    store,
    address,
    names,
    definitions,
    replicas,
  }: { store: string; address: Address; names: OwnNames; definitions: readonly SweepDefinition[]; replicas: number },
  logger: Logger,
): Promise<void> {
  const sweeps = new NatsSweeps(link);
  const folding = await Aggregator.open(
    {
      ledger: await NatsLedger.open(link),
      news: new NatsNews(link),
      sweeps,
      prepare: () => ensureStreams(link, replicas),
      onLost: (listener) => link.onLost(listener),
    },
    store,
    logger,
  );
  const server = await apiOf(folding, version, logger, { names });
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
    const published = definitions.map((definition) => sweeps.publish({ definition, by: 'owner' }));
    await Promise.race([running, Promise.all(published).then(() => running)]);
  } finally {
    end();
    server.server.closeAllConnections();
    await server.close();
    await running.catch(() => {});
  }
}
