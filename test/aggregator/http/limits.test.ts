import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LIMITS } from '../../../aggregator/http/limits';
import { temporaryFolder } from '../../idxfiles';
import { MadeUpRun } from '../folder';

const serve = (limits: Partial<typeof LIMITS>) =>
  new MadeUpRun(join(temporaryFolder(), 'out'), { hiddenWidths: [[5]], pruneRatios: [0] }).serve({
    limits: { ...LIMITS, ...limits },
  });

/** What the server sends to whoever sends this, until it closes the connection or says all that it has to. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  let said = '';
  socket.setEncoding('utf8').on('data', (data: string) => {
    said += data;
  });
  socket.write(text);
  await new Promise<void>((done) => {
    socket.once('close', () => done()).once('error', () => done());
    socket.once('data', () => setTimeout(done, 100));
  });
  return said;
}

describe('who asks too much is told so, and probes are answered', () => {
  it('when the requests of a second are too many', async () => {
    const url = await serve({ requestsPerSecond: 5 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/api/sweeps`)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
    expect(refused[0]!.headers.get('retry-after')).toBe('1');
    expect(((await refused[0]!.json()) as { error: string }).error).toContain(
      'asked more than 5 times within a second',
    );
    for (const probe of ['/healthz', '/metrics']) expect((await fetch(`${url}${probe}`)).status).toBe(200);
  });

  it('when the connections are too many', async () => {
    const url = await serve({ connections: 5 });
    const held = Array.from({ length: 6 }, () => connect(Number(new URL(url).port), '127.0.0.1'));
    onTestFinished(() => held.forEach((socket) => void socket.destroy()));
    await Promise.all(held.map((socket) => new Promise((done) => socket.once('connect', done))));
    const said = await raw(url, 'GET /api/sweeps HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(said).toMatch(/^HTTP\/1.1 503 .*connection: close.*5 connections are open, the most there may be/s);
    expect(await raw(url, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('200 OK');
    for (const socket of held) socket.destroy();
    await expect.poll(async () => (await fetch(`${url}/api/sweeps`)).status).toBe(200);
  });

  it('when whole sweeps are taken away by too many at once', async () => {
    const url = await serve({ downloads: 0 });
    for (const path of ['api/sweeps/test/trials.csv', 'api/sweeps/test/trials.parquet', 'api/store.duckdb']) {
      const answer = await fetch(`${url}/${path}`);
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
      expect(await answer.text()).toContain('downloads of whole sweeps are open, the most there may be');
    }
  });

  it('when a request is too large', async () => {
    const url = await serve({});
    const head = 'GET /api/sweeps HTTP/1.1\r\nHost: localhost\r\n';
    expect(await raw(url, `${head}X: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(url, `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    const body = `POST /api/sweeps HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n`;
    expect(await raw(url, body + ' '.repeat(2000))).toMatch(/^HTTP\/1.1 4\d\d /);
    expect((await fetch(`${url}/api/sweeps`)).status).toBe(200);
  });
});
