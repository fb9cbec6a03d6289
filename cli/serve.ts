/** `prunesweep serve`: the dashboard of runs on this machine, finished or at work, without NATS. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Aggregator } from '../aggregator/aggregator';
import { apiOf } from '../aggregator/http/server';
import type { PublishedSweep } from '../bus/bus';
import { FolderLedger, folderNews } from '../bus/folder';
import { version } from '../package.json';
import { UsageError } from '../sweep/errors';
import { asUsage, parseAddress } from './address';
import { log } from './log';
import { loadFolder, SWEEP_FILE, sweepOfFolder } from './sweepfile';

/** The folders' sweeps by their names. @throws UsageError when two are called the same */
function foldersByName(folders: readonly string[]): Map<string, string> {
  const byName = new Map<string, string>();
  for (const folder of folders) {
    const { name } = loadFolder(folder).sweep.metadata;
    const other = byName.get(name);
    if (other !== undefined)
      throw new UsageError(
        `${other} and ${folder} both hold a sweep called ${name}; serve them apart, each with its own --http`,
      );
    byName.set(name, folder);
  }
  return byName;
}

/** Sweeps of folders do not change while they are shown. */
async function* published(folders: readonly string[], signal: AbortSignal): AsyncGenerator<PublishedSweep> {
  for (const folder of folders) yield sweepOfFolder(folder);
  while (!signal.aborted) await sleep(60_000, undefined, { signal, ref: false }).catch(() => {});
}

/** Works until it is told to end. */
export async function serve(
  given: readonly string[],
  { http, host: hosts }: { http: string; host: string[] },
): Promise<void> {
  const address = parseAddress(http);
  const folders = given.map((folder) => resolve(folder));
  const byName = foldersByName(folders);
  const ledger = new FolderLedger(folders);
  ledger.look();
  const logger = log('serve');
  const store = mkdtempSync(join(tmpdir(), 'prunesweep-serve-'));
  try {
    const folding = await Aggregator.open(
      {
        ledger,
        news: { follow: (signal) => folderNews(folders, signal) },
        sweeps: { follow: (signal) => published(folders, signal), isBehind: async () => false },
        prepare: async () => {},
        onLost: () => {},
      },
      store,
      { info: () => {}, warn: (line) => logger.warn(line) },
    );
    const quote = (path: string) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
    const server = await apiOf(folding, version, logger, {
      names: { hosts },
      // A run keeps no log: the same command tries what failed again, and says how it goes.
      logCommand: (name) => {
        const folder = byName.get(name)!;
        return `prunesweep run ${quote(join(folder, SWEEP_FILE))} --out ${quote(folder)}`;
      },
    });
    const running = folding.run();
    const end = () => folding.stop();
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    try {
      await Promise.race([server.listen(address), running]);
      const { port } = server.server.address() as AddressInfo;
      const host = address.host === '::' || address.host === '0.0.0.0' ? 'localhost' : address.host;
      process.stdout.write(`http://${host.includes(':') ? `[${host}]` : host}:${port}/  (ctrl-C ends it)\n`);
      await running;
    } finally {
      end();
      server.server.closeAllConnections();
      await server.close();
      await running.catch(() => {});
    }
  } catch (error) {
    throw asUsage(error, http);
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}
