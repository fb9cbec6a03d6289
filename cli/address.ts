/** Where a command serves HTTP: `--http`. */
import { UsageError } from '../sweep/errors';

export interface Address {
  host: string;
  port: number;
}

/** @param address `HOST:PORT`, or `:PORT` for every address of this machine */
export function parseAddress(address: string): Address {
  const match = /^(.*?):?(\d+)$/.exec(address);
  const port = Number(match?.[2]);
  if (match === null || port > 65535)
    throw new UsageError(
      `--http: ${address} is no address; give HOST:PORT, or :PORT for every address of this machine`,
    );
  const host = match[1]!.replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '::' : host, port };
}

/** An address that cannot be had is wrong usage. */
export function asUsage(error: unknown, http: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL'
    ? new UsageError(`--http: ${http}: ${code}: choose another address or port`)
    : error;
}
