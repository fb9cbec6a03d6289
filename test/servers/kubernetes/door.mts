/**
 * Lets connections into the network that this process runs in: `node door.mts ADDRESS`, of its DNS. Whatever connects to a
 * server that the parent hands over is put through to the named host and port of the network. The server goes on
 * listening in the network where it was made.
 */

import { Resolver } from 'node:dns';
import { connect, type LookupFunction, type Server } from 'node:net';

const dns = new Resolver();
dns.setServers([process.argv[2]!]);
const lookup: LookupFunction = (name, _, done) =>
  dns.resolve4(name, (error, addresses) => done(error, addresses?.[0] ?? '', 4));

process.on('message', ({ host, port }: { host: string; port: number }, server: Server) => {
  server.on('connection', (outside) => {
    const inside = connect({ host, port, lookup, autoSelectFamily: false });
    for (const end of [outside, inside]) end.on('error', () => {});
    outside.pipe(inside).on('close', () => outside.destroy());
    inside.pipe(outside).on('close', () => inside.destroy());
  });
});
process.once('disconnect', () => process.exit());
