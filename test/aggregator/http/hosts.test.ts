import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPassedOn, type OwnNames } from '../../../aggregator/http/hosts';
import { temporaryFolder } from '../../idxfiles';
import { MadeUpRun } from '../folder';

const serve = (names: Partial<OwnNames> = {}) =>
  new MadeUpRun(join(temporaryFolder(), 'out'), { hiddenWidths: [[5]], pruneRatios: [0] }).serve({ names });

async function ask(url: string, host: string, headers: Record<string, string> = {}) {
  const answer = await new Promise<IncomingMessage>((done, fail) =>
    request(`${url}/healthz`, { agent: false, headers: { host, ...headers } }, done)
      .once('error', fail)
      .end(),
  );
  let text = '';
  for await (const piece of answer) text += piece;
  return { status: answer.statusCode!, text };
}

/** Where the API server of Kubernetes says that it was asked, as one of 1.34 does; it leaves the Host as it was. */
const PASSED_ON = {
  'x-forwarded-uri': '/api/v1/namespaces/team/services/prunesweep-aggregator:http/proxy/healthz',
};
describe('the name that a request was sent to', () => {
  it('is that of a port-forward, a probe, a Service', async () => {
    const url = await serve({ hosts: ['Sweeps.Example.com', 'prunesweep-aggregator.team'] });
    for (const host of [
      ...['localhost:8080', '127.0.0.1:8080', '[::1]:8080', '10.244.0.7:8080', '[fd00::7]', 'LOCALHOST', 'localhost.'],
      ...['prunesweep-aggregator', 'prunesweep-aggregator.team.svc', 'prunesweep-aggregator.team.svc.cluster.local:80'],
      ...['sweeps.example.com:443', 'prunesweep-aggregator.team'],
    ])
      expect([host, (await ask(url, host)).status]).toEqual([host, 200]);
  });

  it('is no name that somebody else can have: that is refused, and who may have meant it is told how', async () => {
    const url = await serve();
    for (const host of [
      ...['evil.example', 'evil.example:8080', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1.nip.io'],
      ...[
        'localhost@evil.example',
        'prunesweep-aggregator.dev',
        'a.svc.evil.example',
        'svc.cluster.local.evil.example',
      ],
      ...['.', 'a b', '[::1', '[evil.example]', 'evil.example#localhost', 'evil.example/localhost', '256.0.0.1'],
    ])
      expect([host, (await ask(url, host)).status]).toEqual([host, 421]);
    expect((await ask(url, 'sweeps.example.com:8080')).text).toBe(
      '{"error":"sweeps.example.com:8080: this server does not answer to that name, but to localhost, its address and names of Services; if the name is its own, start it with --host sweeps.example.com"}',
    );
  });

  it('may be any that the API server of a cluster has, for what that passes on', async () => {
    for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', 'fd00::1']) {
      expect(isPassedOn(peer, PASSED_ON['x-forwarded-uri'])).toBe(true);
      for (const uri of [undefined, '/healthz', '/api/v1/nodes/a/proxy/', ['a', 'b']])
        expect(isPassedOn(peer, uri)).toBe(false);
    }
    // What a page can reach, a port-forward, comes from loopback, whatever else it says.
    const url = await serve({ isBehindApiServer: true });
    expect((await ask(url, 'evil.example', PASSED_ON)).status).toBe(421);
    expect((await ask(url, 'localhost:8001', PASSED_ON)).status).toBe(200);
  });
});
