/** What one asks of this server cannot take it from the others: bounds on rate, number, size and patience, each said to who meets it. */
import type { Server } from 'node:http';
import rateLimit from '@fastify/rate-limit';
import type { FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export interface Limits {
  /** Of one address. Behind a proxy, as the API server of a cluster, many people are one address. */
  requestsPerSecond: number;
  connections: number;
  /** Streams of events that are open at once: a tab of the dashboard has one. */
  streams: number;
  /** Files that are made from all trials of a sweep, at once. */
  downloads: number;
  /** What a reader may take for a piece of an answer, in ms. */
  patience: number;
}

export const LIMITS: Limits = {
  ...{ requestsPerSecond: 500, connections: 1000, streams: 300, downloads: 4 },
  patience: 60_000,
};

/** Connections beyond the bound that are still told of it; others are closed at once. */
const TOLD = 64;

/** Kubernetes and Prometheus ask these however busy it is. */
const PROBES = ['/healthz', '/readyz', '/metrics'];
const isProbe = ({ url }: FastifyRequest) => PROBES.includes(url);

/** Nothing is ever sent here, and whoever connects has something to ask. */
export const serverLimits = ({ patience }: Limits) =>
  ({
    bodyLimit: 1024,
    requestTimeout: 30_000,
    // Also a reader that takes nothing of a plain answer is cut.
    connectionTimeout: 2 * patience,
    keepAliveTimeout: 30_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16_384 },
  }) satisfies FastifyHttpOptions<Server>;

const refuse = (reply: FastifyReply, why: string) =>
  reply
    .code(503)
    .header('retry-after', '5')
    .send({ error: `${why}; ask again in some seconds` });

export async function limitRequests(server: FastifyInstance, limits: Limits): Promise<void> {
  const { connections, requestsPerSecond } = limits;
  let open = 0;
  server.server.maxConnections = connections + TOLD;
  server.server.on('connection', (socket) => {
    open++;
    socket.once('close', () => open--);
  });
  server.addHook('onRequest', async (request, reply) => {
    if (open <= connections || isProbe(request)) return;
    return refuse(reply.header('connection', 'close'), `${connections} connections are open, the most there may be`);
  });
  await server.register(rateLimit, {
    ...{ max: requestsPerSecond, timeWindow: 1000, allowList: isProbe },
    // Who has gone already has no address any more.
    keyGenerator: ({ ip }) => ip ?? 'gone',
    errorResponseBuilder: ({ ip }) =>
      Object.assign(
        new Error(
          `${ip} asked more than ${requestsPerSecond} times within a second; ask again in a second, and see /api/sweeps/NAME/events for what changes`,
        ),
        { statusCode: 429 },
      ),
  });
}

/** For routes of a kind: so many at once, and 503 for who comes then. */
export function atMost(most: number, what: string) {
  let open = 0;
  return async (_: FastifyRequest, reply: FastifyReply) => {
    if (open >= most) return refuse(reply, `${open} ${what} are open, the most there may be`);
    open++;
    reply.raw.once('close', () => open--);
  };
}

/** Hands the pieces on, and cuts a reader that does not take the next within the time, in ms. */
export async function* cutWhenSlow<Piece>(pieces: AsyncIterable<Piece>, milliseconds: number, cut: () => void) {
  for await (const piece of pieces) {
    const timer = setTimeout(cut, milliseconds).unref();
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
  }
}
