/**
 * The servers of NATS as k8s/ configures them. A copy of the file is started: ports, folders, names of hosts and the files of
 * certificates are this machine's, everything else is what is shipped.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { connectNats, type NatsLink } from '../../bus/nats/connect';
import { temporaryFolder } from '../idxfiles';
import { natsProgram } from '../servers/nats';
import { steadyPort } from '../servers/port';
import { guard, ServerProcess } from '../servers/process';

const SHIPPED = join(__dirname, '../../k8s/nats');
const PASSWORDS = {
  PRUNESWEEP_TRAINER_PASSWORD: 'of-trainer',
  PRUNESWEEP_AGGREGATOR_PASSWORD: 'of-aggregator',
  PRUNESWEEP_CONTROLLER_PASSWORD: 'of-controller',
};
type Role = 'trainer' | 'aggregator' | 'controller';
const SERVERS = [0, 1, 2] as const;

/** Replaces each of them; one that is not in the file is a change of the file that this test has to follow. */
export function rewritten(file: string, changes: Record<string, string>): string {
  let text = readFileSync(join(SHIPPED, file), 'utf8');
  for (const [from, to] of Object.entries(changes)) {
    expect(text, file).toContain(from);
    text = text.replaceAll(from, to);
  }
  return text;
}

export interface Server {
  process: ServerProcess;
  port: number;
  healthPort: number;
}

/** Of a server that startThree started. */
export const urlOf = (role: Role, { port }: Server) => `tls://${role}:of-${role}@localhost:${port}`;

export function begin(folder: string, name: string, config: string, env: NodeJS.ProcessEnv): ServerProcess {
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
export const isHealthy = async (port: number): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;

export function serversFolder(): string {
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
export async function startThree(folder: string): Promise<Server[]> {
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

/** A connection that ends with the test. */
export async function come(url: string, ca?: string): Promise<NatsLink> {
  const link = await connectNats({ url, ...(ca === undefined ? {} : { ca }) }, 'test', () => {});
  onTestFinished(() => link.connection.close());
  return link;
}
