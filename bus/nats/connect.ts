/** A connection to NATS that comes back by itself, waits for what may come, and says what it waits for. */
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  ErrorCode,
  type NatsConnection,
  NatsError,
} from 'nats';
import { DataError, UsageError } from '../../sweep/errors';
import { tlsAlert } from './handshake';

export interface NatsOptions {
  /** `nats://HOST:PORT`, or `tls://`; several with commas between them; a user and password may be in the first. */
  url: string;
  /** Files: the credentials of a user, the authority that the server's certificate is from, a certificate and key of one's own. */
  creds?: string;
  ca?: string;
  cert?: string;
  key?: string;
}

/** What all who speak to NATS share. */
export interface NatsLink {
  connection: NatsConnection;
  /** Told what is waited for. */
  say(line: string): void;
  /** Calls back whenever the connection is lost: what was known of the server may no longer be so. */
  onLost(listener: () => void): void;
}

const OLDEST = { major: 2, minor: 11 };
const [FIRST_WAIT, LONGEST_WAIT] = [250, 10_000];
/** How long a server that is there may take to let in, in ms. */
const CONNECTED_WITHIN = 5000;
/** Codes of a server that is not there yet, or not reached. */
const AWAY: readonly string[] = [
  ...[
    ErrorCode.ConnectionRefused,
    ErrorCode.ConnectionTimeout,
    ErrorCode.Timeout,
    ErrorCode.Disconnect,
    ErrorCode.AuthenticationTimeout,
  ],
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EPIPE'],
];

/**
 * @param name what the server calls this connection
 * @throws DataError when the server refuses or is too old; an absent one is waited for
 */
export async function connectNats(options: NatsOptions, name: string, say: (line: string) => void): Promise<NatsLink> {
  const { servers, ...rest } = connectionOptions(options);
  const where = servers.join(',');
  const always = { name, timeout: CONNECTED_WITHIN, maxReconnectAttempts: -1, reconnectTimeWait: 500 };
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT))
    try {
      const connection = await connect({ servers, ...rest, ...always });
      await requireVersion(connection, where);
      const listeners: (() => void)[] = [];
      void tellStatus(connection, say, listeners);
      return { connection, say, onLost: (listener) => listeners.push(listener) };
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (!AWAY.includes(code ?? '')) throw refusal(error, where);
      if (code === ErrorCode.Timeout) await refuseAlert(servers, rest);
      say(`NATS at ${where} is away (${message || code}); waiting for it`);
      await new Promise((done) => setTimeout(done, wait));
    }
}

function connectionOptions({ url, creds, ca, cert, key }: NatsOptions): ConnectionOptions & { servers: string[] } {
  const { servers, user, pass, isTls } = parseUrl(url);
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together; give both');
  const tls = {
    ...(ca === undefined ? {} : { ca: read(ca, '--ca') }),
    ...(cert === undefined ? {} : { cert: read(cert, '--cert') }),
    ...(key === undefined ? {} : { key: read(key, '--key') }),
  };
  return {
    servers,
    ...(user === '' ? {} : { user, pass }),
    ...(creds === undefined ? {} : { authenticator: readCredentials(creds) }),
    ...(isTls || Object.keys(tls).length > 0 ? { tls } : {}),
  };
}

function read(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${option} ${path}: ${(error as NodeJS.ErrnoException).code}; give a file that can be read`);
  }
}

function readCredentials(path: string): Authenticator {
  const authenticator = credsAuthenticator(Buffer.from(read(path, '--creds')));
  try {
    // Where nats.js finds a file damaged, it lets the time run out.
    authenticator('nonce');
    return authenticator;
  } catch {
    throw new DataError(
      `--creds ${path}: no credentials of a user; give the file that nsc made, with the user's token and seed`,
    );
  }
}

function parseUrl(url: string): { servers: string[]; user: string; pass: string; isTls: boolean } {
  const parsed = url.split(',').map((one) => {
    try {
      const server = new URL(one.includes('://') ? one : `nats://${one}`);
      if (['nats:', 'tls:'].includes(server.protocol) && server.host !== '') return server;
    } catch {
      // Said below.
    }
    throw new UsageError(
      `NATS at ${one}: expected nats://HOST:PORT or tls://HOST:PORT, several with commas between them`,
    );
  });
  const { username, password } = parsed[0]!;
  return {
    servers: parsed.map((one) => one.host),
    ...{ user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    isTls: parsed.some(({ protocol }) => protocol === 'tls:'),
  };
}

async function requireVersion(connection: NatsConnection, where: string): Promise<void> {
  const { version = '0.0', jetstream } = connection.info ?? {};
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const { major: oldest, minor: oldestMinor } = OLDEST;
  const isOld = major < oldest || (major === oldest && minor < oldestMinor);
  if (!isOld && jetstream === true) return;
  await connection.close();
  throw new DataError(
    isOld
      ? `NATS at ${where} is version ${version}; prunesweep needs ${oldest}.${oldestMinor} or newer`
      : `NATS at ${where} has no JetStream; start it with --jetstream or a jetstream block in its configuration (k8s/nats/nats.conf)`,
  );
}

const REFUSED_USER: readonly string[] = [
  ...[ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired, ErrorCode.AccountExpired],
];

function refusal(error: unknown, where: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (REFUSED_USER.includes(code ?? ''))
    return new DataError(
      `NATS at ${where} refuses this user, password or credentials file; give what it knows: nats://USER:PASSWORD@HOST:PORT or --creds`,
    );
  if (code === ErrorCode.ServerOptionNotAvailable)
    return new DataError(
      `NATS at ${where} has no TLS; give nats:// without --ca, --cert and --key, or a tls block to its configuration`,
    );
  if (error instanceof SyntaxError || message === 'unexpected response from server')
    return new DataError(`NATS at ${where} does not answer as NATS does; give the address of its client port`);
  if (error instanceof NatsError || code !== undefined)
    return new DataError(
      `NATS at ${where}: ${message} (${code}); with TLS, --ca names the authority that its certificate is from, --cert and --key a certificate of one's own`,
    );
  return error;
}

/** @throws DataError when a server refuses the certificate, or that there is none */
async function refuseAlert(servers: string[], { tls }: ConnectionOptions): Promise<void> {
  for (const server of servers) {
    const alert = await tlsAlert(server, tls ?? {});
    if (alert !== undefined)
      throw new DataError(
        `NATS at ${server} wants a certificate that its authority signed (${alert}); give it with --cert and --key`,
      );
  }
}

async function tellStatus(
  connection: NatsConnection,
  say: (line: string) => void,
  lost: readonly (() => void)[],
): Promise<void> {
  for await (const { type, data } of connection.status()) {
    if (type === 'disconnect') {
      for (const listener of lost) listener();
      say(`NATS at ${String(data)} is away; waiting for it`);
    }
    if (type === 'reconnect') say(`NATS at ${String(data)} is back`);
  }
}

/** How long an answer of the server may take, in ms. */
export const ANSWER_WITHIN = 5000;

export const apiCode = (error: unknown) => (error instanceof NatsError ? error.api_error?.err_code : undefined);

/**
 * Tries again, at growing intervals, for as long as what stands in the way may go.
 * @param what is waiting
 * @param bytes of what is sent, for who must raise a limit
 * @throws DataError when waiting would not help
 */
export async function patiently<T>(
  { say }: NatsLink,
  what: string,
  bytes: number,
  action: () => Promise<T>,
): Promise<T> {
  for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await action();
    } catch (error) {
      say(`${what} waits for NATS: ${passingReason(error, what, bytes)}`);
      await new Promise((done) => setTimeout(done, wait));
    }
  }
}

/** Why NATS did not do it this time. @throws DataError or the error when waiting would not help */
function passingReason(error: unknown, what: string, bytes: number): string {
  if (!(error instanceof NatsError)) throw error;
  switch (error.code) {
    case ErrorCode.MaxPayloadExceeded:
      throw new DataError(`${what}: ${bytes} bytes are more than NATS takes; raise max_payload in its configuration`);
    case ErrorCode.PermissionsViolation:
      throw new DataError(`${what}: NATS refuses this to its user (${error.message}); give a user that may do it`);
    case ErrorCode.ConnectionClosed:
    case ErrorCode.ConnectionDraining:
      throw new DataError(
        `${what}: the connection to NATS was closed for good, as when its user is refused after a restart`,
      );
    case ErrorCode.NoResponders:
    case '404':
      return 'it has no such stream, or no JetStream; the aggregator makes the streams';
    case ErrorCode.Timeout:
      return `no answer within ${ANSWER_WITHIN / 1000} s`;
    default:
      return error.api_error?.description ?? error.message;
  }
}
