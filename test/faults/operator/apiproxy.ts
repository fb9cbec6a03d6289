/**
 * Stands between one controller and the API server: sees each of its calls, can hold them back, and can make its watches
 * stale. It has the rights of the kubeconfig that it is started with; the controller's own kubeconfig has none.
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '../../idxfiles';

export interface Call {
  method: string;
  path: string;
  kind: 'lease' | 'watch' | 'list' | 'read' | 'write';
}

/** @returns false when it goes no further */
type Gate = (call: Call) => Promise<boolean>;
const open: Gate = async () => true;

interface Watching {
  answer: ServerResponse;
  upstream: IncomingMessage;
}

function kindOf(method: string, path: string): Call['kind'] {
  if (path.includes('/leases')) return 'lease';
  if (/[?&]watch=true/.test(path)) return 'watch';
  if (method !== 'GET') return 'write';
  return /\/(prunesweeps|jobs)(\?|$)/.test(path) ? 'list' : 'read';
}

export class ApiProxy {
  /** All that were asked, in order. */
  readonly calls: Call[] = [];
  /** A call waits here before the API server sees it, and its answer here before the controller does. */
  before: Gate = open;
  after: Gate = open;
  private readonly watches = new Set<Watching>();
  private isStalled = false;
  private readonly agent: Agent;

  private constructor(
    private readonly server: Server,
    private readonly target: string,
    private readonly token: string,
    ca: Buffer,
    /** Path of the kubeconfig of the controller that it is for. */
    readonly kubeconfig: string,
  ) {
    this.agent = new Agent({ keepAlive: true, ca });
  }

  /** @param kubeconfig of who is asked for */
  static async start(kubeconfig: string): Promise<ApiProxy> {
    const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8'));
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cluster = { server: url, 'insecure-skip-tls-verify': true };
    const own = join(temporaryFolder(), 'proxy.kubeconfig');
    writeFileSync(
      own,
      JSON.stringify({
        ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'proxy' },
        clusters: [{ name: 'proxy', cluster }],
        users: [{ name: 'proxy', user: {} }],
        contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
      }),
    );
    const authority = Buffer.from(clusters[0].cluster['certificate-authority-data'], 'base64');
    const proxy = new ApiProxy(server, clusters[0].cluster.server, users[0].user.token, authority, own);
    server.on('request', (asked, answer) => {
      // Whoever asked is gone, or the API server is.
      proxy.pass(asked, answer).catch(() => answer.destroy());
    });
    return proxy;
  }

  count(...kinds: Call['kind'][]): number {
    return this.calls.filter(({ kind }) => kinds.includes(kind)).length;
  }

  cutWatches(): void {
    for (const { answer, upstream } of this.watches) {
      answer.destroy();
      upstream.destroy();
    }
  }

  /** Watches stay open, and nothing comes of them until it is over. */
  stallWatches(isStalled: boolean): void {
    this.isStalled = isStalled;
    for (const { upstream } of this.watches) isStalled ? upstream.pause() : upstream.resume();
  }

  stop(): void {
    this.cutWatches();
    this.agent.destroy();
    this.server.closeAllConnections();
    this.server.close();
  }

  private async pass(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const [method, path] = [asked.method!, asked.url!];
    const body = await bytesOf(asked);
    const call: Call = { method, path, kind: kindOf(method, path) };
    this.calls.push(call);
    if (!(await this.before(call))) return void answer.destroy();
    const headers = { ...asked.headers, authorization: `Bearer ${this.token}`, host: new URL(this.target).host };
    const forwarded = request(`${this.target}${path}`, { method, headers, agent: this.agent });
    forwarded.end(body);
    const [upstream] = (await once(forwarded, 'response')) as [IncomingMessage];
    if (call.kind === 'watch') return this.watch({ answer, upstream });
    const said = await bytesOf(upstream);
    if (!(await this.after(call))) return void answer.destroy();
    answer.writeHead(upstream.statusCode!, withoutLength(upstream)).end(said);
  }

  private watch(watching: Watching): void {
    const { answer, upstream } = watching;
    this.watches.add(watching);
    const over = () => {
      this.watches.delete(watching);
      answer.destroy();
      upstream.destroy();
    };
    answer.once('close', over);
    upstream.once('close', over).once('error', over);
    answer.writeHead(upstream.statusCode!, withoutLength(upstream));
    // The controller waits for the head of the answer, not for the first event.
    answer.flushHeaders();
    upstream.on('data', (data: Buffer) => answer.write(data));
    upstream.once('end', () => answer.end());
    if (this.isStalled) upstream.pause();
  }
}

function withoutLength({ headers }: IncomingMessage): IncomingMessage['headers'] {
  const { 'transfer-encoding': _, 'content-length': __, connection: ___, ...rest } = headers;
  return rest;
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
