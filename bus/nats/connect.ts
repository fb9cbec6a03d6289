/** A connection to NATS that comes back by itself, and errors that say what to do. */
import { connect, ErrorCode, type NatsConnection, NatsError } from 'nats';
import { DataError } from '../../sweep/errors';

/**
 * @param url `nats://HOST:PORT`, several with commas between them; a user and password may be in the first
 * @param name what the server calls this connection
 * @param say told when the server is away, and when it is back
 * @throws DataError when the server refuses; an absent one is waited for
 */
export async function connectNats(url: string, name: string, say: (line: string) => void): Promise<NatsConnection> {
  const { servers, user, pass } = parseUrl(url);
  const connection = await connect({
    ...{ servers, name, waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 500 },
    ...(user === '' ? {} : { user, pass }),
  }).catch((error: unknown) => {
    throw refusal(error, servers.join(','));
  });
  void tellStatus(connection, say);
  return connection;
}

function parseUrl(url: string): { servers: string[]; user: string; pass: string } {
  const parsed = url.split(',').map((one) => {
    try {
      return new URL(one.includes('://') ? one : `nats://${one}`);
    } catch {
      throw new DataError(`NATS at ${one}: expected nats://HOST:PORT, several with commas between them`);
    }
  });
  const { username, password } = parsed[0]!;
  return {
    servers: parsed.map((one) => one.host),
    ...{ user: decodeURIComponent(username), pass: decodeURIComponent(password) },
  };
}

function refusal(error: unknown, servers: string): unknown {
  if (!(error instanceof NatsError)) return error;
  return new DataError(
    error.code === ErrorCode.AuthorizationViolation
      ? `NATS at ${servers} refuses this user or password; give one that it knows, as nats://USER:PASSWORD@HOST:PORT`
      : `NATS at ${servers}: ${error.message} (${error.code})`,
  );
}

async function tellStatus(connection: NatsConnection, say: (line: string) => void): Promise<void> {
  for await (const { type, data } of connection.status()) {
    if (type === 'disconnect') say(`NATS at ${String(data)} is away; waiting for it`);
    if (type === 'reconnect') say(`NATS at ${String(data)} is back`);
  }
}
