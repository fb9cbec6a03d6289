/** A TCP proxy on loopback between a process and its server, which can be made as bad as a network gets. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * pass: as if it were not there. drop: connections are cut and new ones refused. stall: bytes are taken and not handed on
 * until it is over. delay: every piece comes so many ms later. half: the server's side is closed towards the process, which
 * may go on sending. twice: the server gets a second connection with a copy of all that the process sends, whose answers
 * are thrown away.
 */
export type Mode = 'pass' | 'drop' | 'stall' | 'delay' | 'half' | 'twice';

const DELAY = 300;

interface Pair {
  client: Socket;
  upstream: Socket;
}

export class FaultyProxy {
  private mode: Mode = 'pass';
  private readonly pairs = new Set<Pair>();
  private readonly held: (() => void)[] = [];
  private constructor(
    private readonly server: Server,
    private readonly target: () => number,
  ) {}

  /** @param target the port of the server, which may change */
  static async start(target: () => number): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new FaultyProxy(server, target);
    server.on('connection', (client) => proxy.open(client));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** What holds from now on; connections that there are suffer it as well. */
  set(mode: Mode): void {
    this.mode = mode;
    if (mode === 'drop') for (const pair of this.pairs) this.cut(pair);
    if (mode === 'half') for (const { client } of this.pairs) client.end();
    // A connection without its twin gets none: the process is made to connect again.
    if (mode === 'twice') for (const pair of this.pairs) this.cut(pair);
    if (mode !== 'stall') for (const hand of this.held.splice(0)) hand();
  }

  async stop(): Promise<void> {
    for (const pair of this.pairs) this.cut(pair);
    await new Promise((done) => this.server.close(done));
  }

  private open(client: Socket): void {
    if (this.mode === 'drop') {
      client.destroy();
      return;
    }
    const upstream = this.dial();
    const pair = { client, upstream };
    this.pairs.add(pair);
    this.join(pair, client, upstream);
    this.join(pair, upstream, client);
    if (this.mode === 'twice') {
      const twin = this.dial();
      twin.on('error', () => twin.destroy());
      twin.resume();
      client.on('data', (bytes) => twin.write(bytes));
      client.on('close', () => twin.destroy());
    }
  }

  private dial(): Socket {
    return connect({ port: this.target(), host: '127.0.0.1', allowHalfOpen: true });
  }

  private join(pair: Pair, from: Socket, to: Socket): void {
    from.on('data', (bytes) => this.hand(() => to.writable && to.write(bytes)));
    from.on('end', () => this.hand(() => to.end()));
    from.on('error', () => this.cut(pair));
    from.on('close', () => this.cut(pair));
  }

  private hand(action: () => void): void {
    if (this.mode === 'stall') this.held.push(action);
    else if (this.mode === 'delay') setTimeout(action, DELAY);
    else action();
  }

  private cut(pair: Pair): void {
    pair.client.destroy();
    pair.upstream.destroy();
    this.pairs.delete(pair);
  }
}
