/**
 * The configuration of NATS in a cluster, as real servers take it. A copy of the file is started: ports, folders, names of
 * hosts and the files of certificates are this machine's, everything else is what is shipped.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectNats, type NatsLink, patiently } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
import { ensureStreams } from '../../bus/nats/streams';
import { CHECKPOINTS, PROGRESS, RECORDS, SWEEPS } from '../../bus/nats/subjects';
import { gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';
import { hasNats, natsProgram, whyNoNats } from '../servers/nats';
import { steadyPort } from '../servers/port';
import { guard, ServerProcess } from '../servers/process';

const SHIPPED = join(__dirname, '../../k8s/nats');
const STREAMS = [RECORDS, SWEEPS, PROGRESS, `OBJ_${CHECKPOINTS}`];
const PASSWORDS = {
  PRUNESWEEP_TRAINER_PASSWORD: 'of-trainer',
  PRUNESWEEP_AGGREGATOR_PASSWORD: 'of-aggregator',
  PRUNESWEEP_CONTROLLER_PASSWORD: 'of-controller',
};
type Role = 'trainer' | 'aggregator' | 'controller';
const SERVERS = [0, 1, 2] as const;
const RECORDED = 300;
const KILLED_AFTER = 100;

const points = gridPoints(sweepOf({ seeds: RECORDED / 3 }).spec, MNIST);
const records = points.map((point, index) => recordOf(point, 5000 + index));

/** Replaces each of them; one that is not in the file is a change of the file that this test has to follow. */
function rewritten(file: string, changes: Record<string, string>): string {
  let text = readFileSync(join(SHIPPED, file), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    expect(text, file).toContain(from);
    text = text.replaceAll(from, to);
  }
  return text;
}

interface Server {
  process: ServerProcess;
  port: number;
  healthPort: number;
}

function begin(folder: string, name: string, config: string, env: NodeJS.ProcessEnv): ServerProcess {
  const file = join(folder, `${name}.conf`);
  writeFileSync(file, config);
  const server = new ServerProcess({
    ...{ name, folder, program: natsProgram(), args: ['--config', file] },
    env: { POD_NAME: name, ...env },
  });
  server.begin();
  return server;
}

/** As the probes of the pod ask. */
const isHealthy = async (port: number): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;

async function come(url: string, ca?: string): Promise<NatsLink> {
  const link = await connectNats({ url, ...(ca === undefined ? {} : { ca }) }, 'test', () => {});
  onTestFinished(() => link.connection.close());
  return link;
}

/** The first `count` that the ledger holds, in order; asked again while the servers agree on who leads. */
const readAll = (link: NatsLink, count: number): Promise<TrialRecord[]> =>
  patiently(link, 'reading the ledger', 0, async () => {
    const found: TrialRecord[] = [];
    for await (const { entry } of (await NatsLedger.open(link)).follow(0))
      if (entry.kind === 'record' && found.push(entry.record) === count) break;
    return found;
  });

function serversFolder(): string {
  const folder = temporaryFolder();
  const end = guard(folder);
  onTestFinished(end);
  return folder;
}

/** Certificates as the comment of the production overlay asks for them: for names, never for addresses. */
function certificatesIn(folder: string): void {
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', '/CN=ca');
  openssl('req', ...key, '-keyout', 'tls.key', '-out', 'tls.csr', '-subj', '/CN=nats');
  writeFileSync(join(folder, 'ext'), 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth');
  const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', 'tls.csr', ...by, '-extfile', 'ext', '-out', 'tls.crt');
}

/** The three of production, on ports of this machine; `localhost` is the name that each goes by. */
async function startThree(folder: string): Promise<Server[]> {
  certificatesIn(folder);
  const ports = await Promise.all(
    SERVERS.map(async () => ({ port: await steadyPort(), route: await steadyPort(), healthPort: await steadyPort() })),
  );
  writeFileSync(join(folder, 'roles.conf'), rewritten('roles.conf', {}));
  const servers = ports.map(({ port, route, healthPort }, index) => {
    const config = rewritten('secure.conf', {
      '0.0.0.0:4222': `127.0.0.1:${port}`,
      '0.0.0.0:8222': `127.0.0.1:${healthPort}`,
      '0.0.0.0:6222': `127.0.0.1:${route}`,
      '"/data"': `"${join(folder, `data-${index}`)}"`,
      '/etc/nats-tls/': `${folder}/`,
      ...Object.fromEntries(SERVERS.map((at) => [`nats-${at}.nats-servers:6222`, `localhost:${ports[at]!.route}`])),
    });
    return { process: begin(folder, `nats-${index}`, config, PASSWORDS), port, healthPort };
  });
  await Promise.all(servers.map((server) => server.process.until(() => isHealthy(server.healthPort))));
  return servers;
}

describe.runIf(hasNats)(`NATS in a cluster${whyNoNats}`, () => {
  it('is one server with cluster.conf, which keeps what it acknowledged over a kill', async () => {
    const folder = serversFolder();
    const [port, healthPort] = [await steadyPort(), await steadyPort()];
    const config = rewritten('cluster.conf', {
      '0.0.0.0:4222': `127.0.0.1:${port}`,
      '0.0.0.0:8222': `127.0.0.1:${healthPort}`,
      '"/data"': `"${join(folder, 'data')}"`,
    });
    const server = begin(folder, 'nats-0', config, {});
    await server.until(() => isHealthy(healthPort));
    const link = await come(`nats://127.0.0.1:${port}`);
    await ensureStreams(link);
    const ledger = await NatsLedger.open(link);
    for (const record of records.slice(0, 20)) await ledger.publish(record);
    await server.kill();
    server.begin();
    await server.until(() => isHealthy(healthPort));
    expect(await readAll(link, 20)).toEqual(records.slice(0, 20));
  });

  it('is three servers with secure.conf, of which one that is lost with its disk takes no acknowledged record with it', async () => {
    const folder = serversFolder();
    const servers = await startThree(folder);
    const ca = join(folder, 'ca.crt');
    const urlOf = (role: Role, at = 0) => `tls://${role}:of-${role}@localhost:${servers[at]!.port}`;
    const aggregator = await come(urlOf('aggregator', 1), ca);
    await ensureStreams(aggregator, 3);
    const manager = await aggregator.connection.jetstreamManager({ checkAPI: false });
    for (const stream of STREAMS) expect((await manager.streams.info(stream)).config.num_replicas, stream).toBe(3);

    // It knows one name, as a Service has one; where the others are the servers tell it.
    const trainer = await come(urlOf('trainer'), ca);
    const ledger = await NatsLedger.open(trainer);
    const lost = servers[0]!;
    for (const [index, record] of records.entries()) {
      if (index === KILLED_AFTER) await lost.process.kill();
      await ledger.publish(record);
    }
    expect(await readAll(aggregator, RECORDED)).toEqual(records);

    rmSync(join(folder, 'data-0'), { recursive: true });
    lost.process.begin();
    await lost.process.until(() => isHealthy(lost.healthPort));
    // All of it is on the new disk, too: another may be lost now.
    await expect
      .poll(async () => (await manager.streams.info(RECORDS)).cluster?.replicas?.every(({ current }) => current), {
        timeout: 60_000,
      })
      .toBe(true);
    await servers[1]!.process.kill();
    expect(await readAll(await come(urlOf('aggregator', 2), ca), RECORDED)).toEqual(records);
  });

  it('lets nobody in without TLS, or without the password of a role', async () => {
    const folder = serversFolder();
    const [server] = await startThree(folder);
    const ca = join(folder, 'ca.crt');
    const refused = (url: string) => expect(connectNats({ url, ca }, 'test', () => {})).rejects;
    await refused(`tls://localhost:${server!.port}`).toThrow(/refuses this user, password or credentials file/);
    await refused(`tls://trainer:wrong@localhost:${server!.port}`).toThrow(/refuses this user/);
    const plain = { url: `nats://trainer:of-trainer@localhost:${server!.port}` };
    await expect(connectNats(plain, 'test', () => {})).rejects.toThrow(/--ca names the authority/);
  });
});
