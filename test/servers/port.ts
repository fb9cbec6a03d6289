/** Ports of loopback that are free now. */
import { randomInt } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';

async function listenOnce(port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
  const { port: got } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return got;
}

export const freePort = () => listenOnce(0);

/**
 * A free port that no outgoing connection takes by chance, now or while its server is down: below those that Linux gives
 * out by itself, which begin at 32768.
 */
export async function steadyPort(): Promise<number> {
  for (let tries = 0; ; tries++)
    try {
      return await listenOnce(randomInt(12_000, 32_000));
    } catch (error) {
      if (tries === 100) throw error;
    }
}
