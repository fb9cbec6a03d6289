import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { apiClient, ServerClock } from '../../../controller/kubernetes/api';

const SECOND = 1000;
const AN_HOUR_AHEAD = () => new Date(Date.now() + 3600 * SECOND);

describe('the time of the API server', () => {
  it('is that of its last answer and what has passed since, however wrong the clock here is', async () => {
    const server = createServer((_, answer) => {
      answer.writeHead(200, { 'content-type': 'application/json', date: AN_HOUR_AHEAD().toUTCString() });
      answer.end('{"kind":"PodList","apiVersion":"v1","items":[]}');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: 'there', server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, skipTLSVerify: true },
      { name: 'me' },
    );
    const clock = new ServerClock();
    expect(Math.abs(clock.now.getTime() - Date.now())).toBeLessThan(SECOND);
    const called: string[] = [];
    await apiClient(config, CoreV1Api, (verb) => called.push(verb), clock).listNamespacedPod({ namespace: 'any' });
    expect(called).toEqual(['GET']);
    expect(Math.abs(clock.now.getTime() - AN_HOUR_AHEAD().getTime())).toBeLessThan(2 * SECOND);
  });
});
