/**
 * Which names this server answers to. A page elsewhere whose name is made to mean this server (DNS rebinding) could else read
 * in its visitor's browser what only the visitor may. Such a name is one that can be bought: addresses, names without a
 * dot and those that a cluster gives to Services cannot.
 */
import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';

export interface OwnNames {
  /** Names beside those that nobody else can have. */
  hosts: readonly string[];
  /**
   * Answer to what the API server of Kubernetes passes on (`kubectl get --raw`, `kubectl proxy`) by whatever name that was
   * asked: it leaves the Host as it was. Who listens at loopback (`kubectl port-forward`) is not meant.
   */
  isBehindApiServer: boolean;
}

/** Where the API server says that it got a request; it is not to be believed of a browser, which reaches no pod by itself. */
const PASSED_ON = /^\/api\/v1\/namespaces\/[^/]+\/(services|pods)\/[^/]+\/proxy(\/|$)/;

/** @param host as in the header, with or without a port */
export function isOwnName(host: string, hosts: readonly string[]): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d{1,5}$/, '')
    .replace(/\.$/, '');
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0 || hosts.includes(name)) return true;
  return /^[a-z0-9-]+$|^([a-z0-9-]+\.)+(localhost|svc|svc\.cluster\.local)$/.test(name);
}

const isLoopback = (address: string) => /^(::ffff:)?127\./.test(address) || address === '::1';

/** @param peer the address that the request came from @param uri its X-Forwarded-Uri */
export const isPassedOn = (peer: string, uri: unknown): boolean =>
  typeof uri === 'string' && PASSED_ON.test(uri) && !isLoopback(peer);

export function refuseOtherHosts(server: FastifyInstance, { hosts, isBehindApiServer }: OwnNames): void {
  const own = hosts.map((name) => name.toLowerCase());
  server.addHook('onRequest', async ({ headers, socket }, reply) => {
    const host = headers.host ?? '';
    if (isOwnName(host, own)) return;
    if (isBehindApiServer && isPassedOn(socket.remoteAddress ?? '', headers['x-forwarded-uri'])) return;
    const name = host.slice(0, 253);
    return reply.code(421).send({
      error: `${name}: this server does not answer to that name, but to localhost, its address and names of Services; if the name is its own, start it with --host ${name.replace(/:\d+$/, '')}`,
    });
  });
}
