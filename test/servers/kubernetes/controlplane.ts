/**
 * A real Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok in place of
 * kubelets, each a child process on loopback. Any user can run it, and several run side by side.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { steadyPort } from '../port';
import { guard, ServerProcess } from '../process';
import type { ProgramName, Programs } from './obtain';

export type PartName = Exclude<ProgramName, 'kubectl' | 'kubelet' | 'kube-proxy'>;

/** Addresses of Services. */
export const SERVICES = '10.0.0.0/24';

export interface ControlPlaneOptions {
  /** Number of fake nodes, on which pods live as stages.yaml says; none if nothing else is said. */
  kwok?: number;
  /** Path of another stages.yaml. */
  stages?: string;
  /** Whether kube-controller-manager and kube-scheduler run; without them there are no pods. True if nothing else is said. */
  controllers?: boolean;
  /** Whether auditEvents() has something to tell. */
  auditLog?: boolean;
  /** Who may log in beside the admin: groups by the name of the user. */
  users?: Readonly<Record<string, readonly string[]>>;
  /** Keep upstream's limits on how fast the controllers and the scheduler ask (20 and 50 a second): some 10 pods a second. */
  upstreamRates?: boolean;
  /** Where its folder is made; the system's place for temporary files if nothing else is said. */
  within?: string;
  /** Another than this machine's, for a cluster with real nodes; these find the API server at `address`. */
  network?: Network;
}

/** A network that is not this process's own. */
export interface Network {
  address: string;
  /** Program and arguments that run what follows them in the network, as the same process. */
  enter: readonly string[];
  /** Makes a port of that network's loopback one of this machine's loopback. */
  open(port: number): Promise<void>;
}

export interface AuditEvent {
  user: string;
  verb: string;
  /** Of the API; undefined for the core's. */
  group: string | undefined;
  resource: string | undefined;
  subresource: string | undefined;
  namespace: string | undefined;
  name: string | undefined;
  /** HTTP status that was answered. */
  code: number;
}

export interface KubectlResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end. */
export function outcomeOf(
  program: string,
  args: readonly string[],
  stdin: string,
  env: NodeJS.ProcessEnv,
): Promise<KubectlResult> {
  const child = spawn(program, args, { env });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (data: string) => {
      text[name] += data;
    });
  // A command that does not read its input closes it, which is no fault.
  child.stdin.on('error', () => {}).end(stdin);
  return new Promise((done, fail) => {
    child.once('error', fail).once('close', (code) => done({ code: code ?? -1, ...text }));
  });
}

/** One event a request: when it is answered, or for a watch, which may never end, when it begins. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules: [
    { level: 'Metadata', verbs: ['watch'], omitStages: ['RequestReceived', 'ResponseComplete'] },
    { level: 'Metadata', omitStages: ['RequestReceived', 'ResponseStarted'] },
  ],
};

export class ControlPlane {
  readonly folder: string;
  /** Path of a file with which one is admin. */
  readonly kubeconfig: string;
  private readonly endGuard: () => Promise<void>;
  private readonly tokens = new Map<string, string>();
  private readonly parts = new Map<PartName, ServerProcess>();
  private etcdPort = 0;
  private port = 0;
  private ca = '';

  private constructor(
    private readonly programs: Programs,
    private readonly options: ControlPlaneOptions,
  ) {
    this.folder = mkdtempSync(join(options.within ?? tmpdir(), 'prunesweep-kubernetes-'));
    this.kubeconfig = join(this.folder, 'admin.kubeconfig');
    this.endGuard = guard(this.folder);
  }

  /** @returns when it is ready: nodes too, and a pod may be created in the namespace `default` */
  static async start(programs: Programs, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = new ControlPlane(programs, options);
    try {
      await plane.startAll();
    } catch (error) {
      await plane.stop();
      throw error;
    }
    return plane;
  }

  get url(): string {
    // The certificate that kube-apiserver makes itself has the address it listens on, but for 0.0.0.0 this name.
    return `https://${this.options.network === undefined ? '127.0.0.1' : 'localhost'}:${this.port}`;
  }

  /** Of each part that runs. */
  get pids(): Partial<Record<PartName, number>> {
    return Object.fromEntries(
      [...this.parts].filter(([, part]) => part.isRunning).map(([name, { pid }]) => [name, pid]),
    );
  }

  /** As a crash does. */
  kill(name: PartName): Promise<void> {
    return this.part(name).kill();
  }

  /** Starts a part that was killed, on its port and data of before. kube-apiserver needs an etcd that runs. */
  async begin(name: PartName): Promise<void> {
    const part = this.part(name);
    part.begin();
    if (name === 'kube-apiserver') await part.until(() => this.answers('/readyz'));
    if (name === 'etcd') await part.until(() => this.etcdAnswers());
  }

  /** It hangs: it keeps its connections, and answers nothing. */
  pause(name: PartName): void {
    this.part(name).signal('SIGSTOP');
  }

  resume(name: PartName): void {
    this.part(name).signal('SIGCONT');
  }

  /** Ends all, kube-apiserver before etcd, and leaves nothing. */
  async stop(): Promise<void> {
    for (const part of [...this.parts.values()].reverse()) await part.kill();
    await this.endGuard();
  }

  kubectl(args: readonly string[], { stdin = '', kubeconfig = this.kubeconfig } = {}): Promise<KubectlResult> {
    return outcomeOf(this.programs.kubectl, args, stdin, { ...this.environment, KUBECONFIG: kubeconfig });
  }

  /** @returns path of a file with which one is that user of `options.users` */
  userKubeconfig(user: string): string {
    const token = this.tokens.get(user);
    if (token === undefined) throw new Error(`${user} is none of the users that this control plane was started with`);
    return this.writeKubeconfig(user, token);
  }

  /** @returns path of a file with which one is that service account, which must exist */
  async serviceAccountKubeconfig(namespace: string, name: string): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(['create', 'token', name, '--namespace', namespace]);
    if (code !== 0) throw new Error(`no token for service account ${namespace}/${name}: ${stderr}`);
    return this.writeKubeconfig(`${namespace}.${name}`, stdout.trim());
  }

  /** Every request that was answered so far, in order. */
  auditEvents(): AuditEvent[] {
    const file = this.file('audit.log');
    if (!existsSync(file)) throw new Error('this control plane was started without auditLog');
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const { user, impersonatedUser, verb, objectRef, responseStatus } = JSON.parse(line);
      const { apiGroup: group, resource, subresource, namespace, name } = objectRef ?? {};
      const { username } = impersonatedUser ?? user;
      return { user: username, verb, group, resource, subresource, namespace, name, code: responseStatus?.code ?? 0 };
    });
  }

  private async startAll(): Promise<void> {
    const { kwok: nodes = 0, controllers = true } = this.options;
    this.etcdPort = await steadyPort();
    this.port = await steadyPort();
    for (const port of [this.etcdPort, this.port]) await this.options.network?.open(port);
    this.writeSecrets();
    this.add('etcd', this.etcdFlags()).begin();
    // kube-apiserver that finds no etcd waits a second before it tries again.
    await this.part('etcd').until(() => this.etcdAnswers());
    this.add('kube-apiserver', this.serverFlags()).begin();
    // It makes itself a certificate, and the authority for it, before it listens.
    const certificate = this.file('apiserver.crt');
    await this.part('kube-apiserver').until(async () => {
      if (!existsSync(certificate)) return false;
      this.ca = readFileSync(certificate, 'utf8');
      return this.answers('/readyz');
    });
    for (const user of this.tokens.keys()) this.writeKubeconfig(user, this.tokens.get(user)!);

    if (controllers) {
      this.add('kube-controller-manager', this.controllerFlags()).begin();
      this.add('kube-scheduler', this.schedulerFlags()).begin();
    }
    if (nodes > 0) {
      this.add('kwok', this.kwokFlags()).begin();
      await Promise.all(Array.from({ length: nodes }, (_, i) => this.ask('POST', '/api/v1/nodes', nodeOf(i))));
      await this.part('kwok').until(() => this.areNodesReady());
    }
    // Without this account, which a controller makes, no pod of the namespace is accepted.
    if (controllers)
      await this.part('kube-controller-manager').until(() =>
        this.answers('/api/v1/namespaces/default/serviceaccounts/default'),
      );
  }

  private writeSecrets(): void {
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    writeFileSync(this.file('accounts.pub'), publicKey);
    writeFileSync(this.file('accounts.key'), privateKey);
    const users = {
      admin: ['system:masters'],
      kwok: ['system:masters'],
      'system:kube-controller-manager': [],
      'system:kube-scheduler': [],
      ...this.options.users,
    };
    const lines = Object.entries(users).map(([user, groups]) => {
      const token = randomBytes(16).toString('hex');
      this.tokens.set(user, token);
      return `${token},${user},${user},"${groups.join(',')}"`;
    });
    writeFileSync(this.file('tokens.csv'), `${lines.join('\n')}\n`);
    if (this.options.auditLog) writeFileSync(this.file('audit-policy.json'), JSON.stringify(AUDIT_POLICY));
  }

  private etcdFlags(): string[] {
    const client = `http://127.0.0.1:${this.etcdPort}`;
    // It has no peers: any port does, and nobody calls it.
    const peer = 'http://127.0.0.1:0';
    return [
      '--data-dir',
      this.file('etcd'),
      // A test needs no durability through a power cut, and waiting for the disk is most of a small write.
      '--unsafe-no-fsync',
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
      // A single member waits for its own election, a second and more of upstream's times.
      ...['--heartbeat-interval', '10', '--election-timeout', '100'],
      ...['--log-level', 'warn'],
    ];
  }

  private serverFlags(): string[] {
    const { network } = this.options;
    const flags = {
      'etcd-servers': `http://127.0.0.1:${this.etcdPort}`,
      'bind-address': network === undefined ? '127.0.0.1' : '0.0.0.0',
      'advertise-address': network?.address ?? '127.0.0.1',
      'secure-port': this.port,
      'cert-dir': this.folder,
      'token-auth-file': this.file('tokens.csv'),
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': this.file('accounts.pub'),
      'service-account-signing-key-file': this.file('accounts.key'),
      'service-cluster-ip-range': SERVICES,
      // An address of loopback is refused in the endpoints of the service `kubernetes`.
      ...(network === undefined && { 'endpoint-reconciler-type': 'none' }),
      // A node's name is known to nobody.
      'kubelet-preferred-address-types': 'InternalIP',
      // What a pod may is PodSecurity's to say.
      'allow-privileged': true,
      ...(this.options.auditLog && {
        'audit-policy-file': this.file('audit-policy.json'),
        'audit-log-path': this.file('audit.log'),
      }),
    };
    return flagsOf(flags);
  }

  private controllerFlags(): string[] {
    return flagsOf({
      kubeconfig: this.userKubeconfig('system:kube-controller-manager'),
      'secure-port': 0,
      'leader-elect': false,
      'use-service-account-credentials': true,
      'root-ca-file': this.file('apiserver.crt'),
      'service-account-private-key-file': this.file('accounts.key'),
      ...(!this.options.upstreamRates && { 'kube-api-qps': 2000, 'kube-api-burst': 4000 }),
    });
  }

  private schedulerFlags(): string[] {
    const config = {
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      leaderElection: { leaderElect: false },
      clientConnection: {
        kubeconfig: this.userKubeconfig('system:kube-scheduler'),
        ...(!this.options.upstreamRates && { qps: 2000, burst: 4000 }),
      },
    };
    writeFileSync(this.file('scheduler.json'), JSON.stringify(config));
    return flagsOf({ config: this.file('scheduler.json'), 'secure-port': 0 });
  }

  private kwokFlags(): string[] {
    return flagsOf({
      kubeconfig: this.userKubeconfig('kwok'),
      config: this.options.stages ?? join(__dirname, 'stages.yaml'),
      'manage-all-nodes': true,
      'node-ip': '127.0.0.1',
      cidr: '10.64.0.1/12',
    });
  }

  private async areNodesReady(): Promise<boolean> {
    const { body } = await this.ask('GET', '/api/v1/nodes');
    const { items } = JSON.parse(body) as { items: { status: { conditions?: { type: string; status: string }[] } }[] };
    return items.every(({ status }) => status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
  }

  private async answers(path: string): Promise<boolean> {
    return (await this.ask('GET', path)).status === 200;
  }

  private ask(method: string, path: string, document?: object): Promise<{ status: number; body: string }> {
    const headers = { authorization: `Bearer ${this.tokens.get('admin')}`, 'content-type': 'application/json' };
    return new Promise((done, fail) => {
      const asked = requestHttps(`${this.url}${path}`, { method, headers, ca: this.ca, agent: false }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (data: string) => {
          body += data;
        });
        answer.once('error', fail).once('end', () => done({ status: answer.statusCode!, body }));
      });
      asked.once('error', fail).end(document && JSON.stringify(document));
    });
  }

  private etcdAnswers(): Promise<boolean> {
    return new Promise((done, fail) => {
      const url = `http://127.0.0.1:${this.etcdPort}/health`;
      const asked = requestHttp(url, { agent: false }, (answer) => done(answer.resume().statusCode === 200));
      asked.once('error', fail).end();
    });
  }

  private writeKubeconfig(user: string, token: string): string {
    const file = this.file(`${user.replaceAll(':', '.')}.kubeconfig`);
    const name = 'prunesweep-test';
    const cluster = { server: this.url, 'certificate-authority-data': Buffer.from(this.ca).toString('base64') };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster }],
      users: [{ name: user, user: { token } }],
      contexts: [{ name, context: { cluster: name, user } }],
      'current-context': name,
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }

  private add(name: PartName, args: readonly string[]): ServerProcess {
    const { folder, environment: env } = this;
    const [program, ...before] = [...(this.options.network?.enter ?? []), this.programs[name]];
    const part = new ServerProcess({ name, program: program!, args: [...before, ...args], folder, env });
    this.parts.set(name, part);
    return part;
  }

  private part(name: PartName): ServerProcess {
    const part = this.parts.get(name);
    if (part === undefined) throw new Error(`this control plane was started without ${name}`);
    return part;
  }

  /** Settings and caches of the user at the keyboard are neither read nor written. */
  private get environment(): NodeJS.ProcessEnv {
    return { ...process.env, HOME: this.folder, KUBECONFIG: '' };
  }

  private file(name: string): string {
    return join(this.folder, name);
  }
}

const flagsOf = (flags: Record<string, string | number | boolean>): string[] =>
  Object.entries(flags).map(([name, value]) => `--${name}=${value}`);

/** Without a taint, so that pods need not know that they are tested; with what both kinds of trainers ask for. */
function nodeOf(index: number): object {
  const name = `kwok-${index}`;
  const resources = { cpu: '64', memory: '256Gi', 'ephemeral-storage': '1Ti', pods: '1000', 'nvidia.com/gpu': '8' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
    },
    status: { capacity: resources, allocatable: resources },
  };
}
