/** Why a server ends a TLS connection: nats.js loses what it says after the handshake, and sees only that time runs out. */
import { connect as dial, isIP } from 'node:net';
import { type ConnectionOptions, connect as secure } from 'node:tls';

const LONGEST = 2000;

/**
 * Shakes hands with a server as nats.js does, and listens a moment.
 *
 * @param server `HOST:PORT`
 * @returns the code of the server's alert, as ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED; undefined when it gave none
 */
export function tlsAlert(server: string, tls: ConnectionOptions): Promise<string | undefined> {
  const { hostname, port } = new URL(`nats://${server}`);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return new Promise((resolve) => {
    const socket = dial(Number(port || 4222), host);
    const end = (alert?: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(alert);
    };
    const timer = setTimeout(end, LONGEST);
    const onError = ({ code }: NodeJS.ErrnoException) => end(code?.includes('_ALERT_') ? code : undefined);
    socket.on('error', onError);
    // The server speaks first, in the clear.
    socket.once('data', () => {
      const name = isIP(host) === 0 ? { servername: host } : {};
      secure({ ...tls, ...name, socket }).on('error', onError);
    });
  });
}
