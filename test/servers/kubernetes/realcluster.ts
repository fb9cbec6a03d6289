/**
 * A real Kubernetes with a real node: the control plane, containerd, kubelet, kube-proxy and DNS, in namespaces of their own
 * (namespaces.ts), so that several run side by side and nothing of one stays. Needs root.
 *
 * Nothing outside is reached from inside: images come from archives. NetworkPolicies are accepted and not enforced, there
 * are no load balancers, and whoever is in the network may ask kubelet for anything.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { guard, ServerProcess, type ServerProcessOptions } from '../process';
import { ControlPlane, type ControlPlaneOptions, type KubectlResult, outcomeOf } from './controlplane';
import { pauseProgram, writeImage } from './image';
import { HIDDEN, Namespaces, NODE_ADDRESS } from './namespaces';
import type { Programs } from './obtain';
import type { Tools } from './tools';

export const NODE = 'node';
const PODS = '10.89.0.0/24';
const PAUSE = 'prunesweep.dev/test/pause:1';
const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
const OVERLAYFS_MAGIC = 0x794c7630;
const FILLER = 'filler';
/** Bytes: less than the 1 % of 256 MiB below which kubelet evicts. */
const LEFT_ON_DISK = 1.5 * 2 ** 20;
const GPU_RESOURCE = 'nvidia.com/gpu';
const DNS_RIGHTS = ['system:masters'];

export type NodePartName = 'containerd' | 'kubelet' | 'kube-proxy' | 'dns' | 'gpus';

export interface RealClusterOptions extends Pick<ControlPlaneOptions, 'auditLog' | 'users' | 'upstreamRates'> {
  /** Paths of OCI archives: pods may use their images, with imagePullPolicy Never or IfNotPresent. */
  images?: readonly string[];
  /** Where its folder is to be, which must not be there yet; in the system's place for temporary files otherwise. */
  folder?: string;
  /** How many claims can be bound, each to a volume of 1 GiB in the cluster's folder; 10 if nothing else is said. */
  volumes?: number;
  /** How many made-up GPUs the node has; none if nothing else is said. */
  gpus?: number;
  /** Whether the node's disk for pods is one of its own, of 256 MiB, that `fillDisk` fills. */
  ownDisk?: boolean;
}

export class RealCluster {
  /** Has everything that it writes. */
  readonly folder: string;
  /** Name of the pods' parent group. */
  readonly cgroup = `prunesweep-cluster-${randomBytes(6).toString('hex')}`;
  private readonly endGuard: () => Promise<void>;
  private readonly parts = new Map<NodePartName, ServerProcess>();
  private namespaces: Namespaces | undefined;
  private door: ChildProcess | undefined;
  private controlPlane: ControlPlane | undefined;

  private constructor(
    private readonly programs: Programs,
    private readonly tools: Tools,
    private readonly options: RealClusterOptions,
  ) {
    const { folder } = options;
    if (folder === undefined) this.folder = mkdtempSync(join(tmpdir(), 'prunesweep-cluster-'));
    else this.folder = resolve(folder);
    const hidden = HIDDEN.find((place) => `${this.folder}/`.startsWith(`${place}/`));
    if (hidden !== undefined)
      throw new Error(`folder ${this.folder}: a node has a ${hidden} of its own; choose a folder elsewhere`);
    if (folder !== undefined) mkdirSync(this.folder);
    this.endGuard = guard(this.folder);
  }

  /** @returns when its node is ready for pods, and Services are found by name */
  static async start(programs: Programs, tools: Tools, options: RealClusterOptions = {}): Promise<RealCluster> {
    const cluster = new RealCluster(programs, tools, options);
    try {
      await cluster.startAll();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Its kubeconfig is good on this machine and inside the cluster's network. */
  get plane(): ControlPlane {
    return this.controlPlane!;
  }

  /** Of each part of the node that runs. */
  get pids(): Partial<Record<NodePartName, number>> {
    return Object.fromEntries(
      [...this.parts].filter(([, part]) => part.isRunning).map(([name, { pid }]) => [name, pid]),
    );
  }

  kubectl(args: readonly string[], options: { stdin?: string; kubeconfig?: string } = {}): Promise<KubectlResult> {
    return this.plane.kubectl(args, options);
  }

  /**
   * Runs a command of this machine to its end, in the cluster's network: Services are found by name, and pods reach what it
   * listens on at NODE_ADDRESS. Files and processes are this machine's, KUBECONFIG is the admin's.
   */
  exec(program: string, args: readonly string[], { stdin = '', env = {} as NodeJS.ProcessEnv } = {}) {
    const [enter, ...before] = this.enter();
    const environment = { ...process.env, KUBECONFIG: this.plane.kubeconfig, ...env };
    return outcomeOf(enter!, [...before, program, ...args], stdin, environment);
  }

  /** What comes before a command of a shell to run it as exec() does. */
  enter(): string[] {
    const bind = 'mount -n --bind "$0" /etc/resolv.conf && exec "$@"';
    const named = ['unshare', '--mount', 'sh', '-c', bind, this.file('resolv.conf')];
    return ['setpriv', '--pdeathsig', 'KILL', ...this.namespaces!.network, ...named];
  }

  /**
   * @param host an address in the cluster's network, or the whole name of a Service, `nats.default.svc.cluster.local`
   * @param at port of this machine's loopback; a free one if nothing else is said
   * @returns that port: who connects to it is put through
   */
  async forward(host: string, port: number, at = 0): Promise<number> {
    const server = createServer();
    await new Promise<void>((done, fail) => server.once('error', fail).listen(at, '127.0.0.1', done));
    const { port: own } = server.address() as AddressInfo;
    await new Promise<void>((done, fail) =>
      this.door!.send({ host, port }, server, (error) => (error ? fail(error) : done())),
    );
    server.close();
    return own;
  }

  /**
   * Kills the first process of a container, and with it all others, as the kernel does that is out of memory.
   *
   * @param id as the status of its pod has it, `containerd://…`
   */
  async killContainer(id: string): Promise<void> {
    await this.ctr('--namespace', 'k8s.io', 'tasks', 'kill', '--signal', 'SIGKILL', basename(id));
  }

  /** As a crash does. Pods stay as they are, whichever part it is. */
  kill(name: NodePartName): Promise<void> {
    return this.parts.get(name)!.kill();
  }

  /** Starts a part that was killed; it may take a moment until it is of use. */
  begin(name: NodePartName): void {
    this.parts.get(name)!.begin();
  }

  /** It hangs: it keeps its connections, and answers nothing. */
  pause(name: NodePartName): void {
    this.parts.get(name)!.signal('SIGSTOP');
  }

  resume(name: NodePartName): void {
    this.parts.get(name)!.signal('SIGCONT');
  }

  /** Whether the first of the made-up GPUs is well. */
  setGpuHealth(isHealthy: boolean): void {
    this.parts.get('gpus')!.signal(isHealthy ? 'SIGUSR2' : 'SIGUSR1');
  }

  /** Leaves so little on the node's own disk that kubelet evicts pods, within 10 s, and enough to tell of it. */
  fillDisk(): void {
    const disk = this.inside('kubelet');
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, FILLER), Buffer.alloc(Math.max(0, bavail * bsize - LEFT_ON_DISK)));
  }

  freeDisk(): void {
    rmSync(join(this.inside('kubelet'), FILLER), { force: true });
  }

  /** Ends all, pods first, and leaves nothing. */
  async stop(): Promise<void> {
    await this.namespaces?.stop();
    for (const part of this.parts.values()) await part.kill();
    await this.controlPlane?.stop();
    this.door?.kill('SIGKILL');
    await this.endGuard();
  }

  private async startAll(): Promise<void> {
    for (const name of ['containerd', 'kubelet', 'pods', 'cni']) mkdirSync(this.file(name));
    const search = 'search default.svc.cluster.local svc.cluster.local cluster.local';
    writeFileSync(this.file('resolv.conf'), `nameserver ${NODE_ADDRESS}\n${search}\noptions ndots:5\n`);
    this.namespaces = await Namespaces.start(this.folder, this.cgroup);
    this.openDoor();
    await Promise.all([this.startContainerd(), this.startControlPlane()]);
    await this.startNode();
  }

  private openDoor(): void {
    const [enter, ...before] = this.namespaces!.network;
    const log = openSync(this.file('door.log'), 'a');
    this.door = spawn(enter!, [...before, ...script('door.mts'), NODE_ADDRESS], {
      stdio: ['ignore', log, log, 'ipc'],
    });
    this.door.unref();
    this.door.channel!.unref();
    closeSync(log);
  }

  private async startControlPlane(): Promise<void> {
    const { auditLog, upstreamRates, users } = this.options;
    this.controlPlane = await ControlPlane.start(this.programs, {
      ...(auditLog && { auditLog }),
      ...(upstreamRates && { upstreamRates }),
      users: { ...users, [`system:node:${NODE}`]: ['system:nodes'], 'system:kube-proxy': [], dns: DNS_RIGHTS },
      within: this.folder,
      network: {
        address: NODE_ADDRESS,
        enter: this.namespaces!.network,
        open: async (port) => {
          await this.forward('127.0.0.1', port, port);
        },
      },
    });
  }

  private async startContainerd(): Promise<void> {
    writeFileSync(this.file('containerd.toml'), containerdConfig(this.folder, this.tools.cni));
    writeFileSync(this.file('cni', '10-prunesweep.conflist'), JSON.stringify(CNI));
    const config = ['--config', this.file('containerd.toml')];
    const containerd = this.addInner('containerd', join(this.tools.containerd, 'containerd'), config);
    containerd.begin();
    const pause = this.file('pause.tar');
    await writeImage(pause, { name: PAUSE, files: { pause: pauseProgram() }, entrypoint: ['/pause'] });
    await containerd.until(() => this.ctr('version'));
    for (const archive of [pause, ...(this.options.images ?? [])])
      await this.ctr('--namespace', 'k8s.io', 'images', 'import', archive);
  }

  private async startNode(): Promise<void> {
    makeCgroups(this.cgroup);
    if (this.options.ownDisk) await this.mountDisk();
    const kubeconfig = (user: string) => this.plane.userKubeconfig(user);
    writeFileSync(this.file('kubelet.json'), JSON.stringify(kubeletConfig(this.folder, this.cgroup)));
    this.addInner('kubelet', this.programs.kubelet, [
      ...['--config', this.file('kubelet.json'), '--kubeconfig', kubeconfig(`system:node:${NODE}`)],
      ...['--root-dir', this.file('kubelet'), '--hostname-override', NODE, '--node-ip', NODE_ADDRESS],
    ]).begin();
    const { gpus } = this.options;
    if (gpus !== undefined) {
      const [node, ...devices] = script('devices.mts');
      this.addInner('gpus', node!, [...devices, GPU_RESOURCE, `${gpus}`]).begin();
    }
    writeFileSync(this.file('proxy.json'), JSON.stringify(proxyConfig(kubeconfig('system:kube-proxy'))));
    const proxy = this.add('kube-proxy', [this.programs['kube-proxy'], '--config', this.file('proxy.json')]);
    proxy.begin();
    const dns = this.add('dns', [...script('dns.mts'), NODE_ADDRESS], { KUBECONFIG: kubeconfig('dns') });
    dns.begin();

    const items = [STORAGE_CLASS, ...Array.from({ length: this.options.volumes ?? 10 }, (_, i) => this.makeVolume(i))];
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    await this.mustKubectl(['apply', '-f', '-'], list);
    const health = await this.forward('127.0.0.1', 10256);
    await Promise.all([
      proxy.until(async () => (await fetch(`http://127.0.0.1:${health}/healthz`)).ok),
      dns.until(async () => /listening/.test(dns.lastWords)),
      this.mustKubectl(['wait', '--for=create', `node/${NODE}`, '--timeout=60s']).then(() =>
        this.mustKubectl(['wait', '--for=condition=Ready', `node/${NODE}`, '--timeout=60s']),
      ),
    ]);
  }

  /** kubelet's folder is on a file system of its own, which counts as the node's. */
  private async mountDisk(): Promise<void> {
    const mount = ['mount', '-n', '-t', 'tmpfs', '-o', 'size=256m', 'prunesweep', this.file('kubelet')];
    const [enter, ...before] = ['nsenter', `--target=${this.namespaces!.pid}`, '--mount', ...mount];
    const { code, stderr } = await outcomeOf(enter!, before, '', process.env);
    if (code !== 0) throw new Error(`the node's disk: ${stderr.trim()}`);
  }

  /** Path of a file of the folder as the node has it. */
  private inside(...names: string[]): string {
    return join(`/proc/${this.namespaces!.pid}/root`, this.folder, ...names);
  }

  private async mustKubectl(args: readonly string[], stdin = ''): Promise<void> {
    const { code, stderr } = await this.kubectl(args, { stdin });
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
  }

  private makeVolume(index: number): object {
    const path = this.file('volumes', `${index}`);
    mkdirSync(path, { recursive: true });
    const onNode = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [NODE] }] };
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `volume-${index}` },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: STORAGE_CLASS.metadata.name,
        persistentVolumeReclaimPolicy: 'Retain',
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [onNode] } },
      },
    };
  }

  /** containerd's own client, in the namespaces of its socket. */
  private async ctr(...args: string[]): Promise<boolean> {
    const command = ['nsenter', `--target=${this.namespaces!.pid}`, '--net', '--mount', '--pid'];
    const [enter, ...before] = [...command, join(this.tools.containerd, 'ctr'), ...args];
    const { code, stderr } = await outcomeOf(enter!, before, '', process.env);
    if (code !== 0) throw new Error(`ctr ${args.join(' ')}: ${stderr.trim()}`);
    return true;
  }

  private add(name: NodePartName, command: readonly string[], env: NodeJS.ProcessEnv = {}): ServerProcess {
    const [program, ...args] = [...this.namespaces!.network, ...command];
    const part = new ServerProcess(this.serverOptions(name, program!, args, env));
    this.parts.set(name, part);
    return part;
  }

  private addInner(name: NodePartName, program: string, args: readonly string[]): ServerProcess {
    const part = this.namespaces!.inner(this.serverOptions(name, program, args));
    this.parts.set(name, part);
    return part;
  }

  private serverOptions(
    name: NodePartName,
    program: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): ServerProcessOptions {
    const { runc, nft, containerd } = this.tools;
    const path = [containerd, runc, nft, process.env.PATH].join(delimiter);
    const libraries = { LD_LIBRARY_PATH: [runc, nft].join(delimiter) };
    return { name, program, args, folder: this.folder, env: { PATH: path, ...libraries, HOME: this.folder, ...env } };
  }

  private file(...names: string[]): string {
    return join(this.folder, ...names);
  }
}

const script = (name: string) => [process.execPath, '--disable-warning=ExperimentalWarning', join(__dirname, name)];

/** In every hierarchy: kubelet asks for its own to be there. The namespaces' end removes them. */
function makeCgroups(name: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  for (const [, folder, type] of mounts.map((line) => line.split(' '))) {
    if (type !== 'cgroup' && type !== 'cgroup2') continue;
    mkdirSync(join(folder!, name), { recursive: true });
    // Of version 1, where a new group has none.
    if (basename(folder!) !== 'cpuset') continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      writeFileSync(join(folder!, name, file), readFileSync(join(folder!, file)));
  }
}

const containerdConfig = (folder: string, cni: string) => `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  # To lower the score needs a right that root of a container may lack.
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${cni}"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    # An overlay on an overlay, as in a container, is refused.
    snapshotter = "${statfsSync(folder).type === OVERLAYFS_MAGIC ? 'native' : 'overlayfs'}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;

/** A link for each pod, and a route to it: what pods say to each other passes the rules of kube-proxy, as on a bridge it may not. */
const CNI = {
  cniVersion: '1.0.0',
  name: 'prunesweep',
  plugins: [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: '/run/cni',
        ranges: [[{ subnet: PODS }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

const kubeletConfig = (folder: string, cgroup: string) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
  address: NODE_ADDRESS,
  // The API server has no certificate of a client: the network is the cluster's own.
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  clusterDNS: [NODE_ADDRESS],
  clusterDomain: 'cluster.local',
  resolvConf: join(folder, 'resolv.conf'),
  podLogsDir: join(folder, 'pods'),
  volumePluginDir: join(folder, 'kubelet', 'plugins'),
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroup}`,
  failCgroupV1: false,
  failSwapOn: false,
  oomScoreAdj: 0,
  makeIPTablesUtilChains: false,
  // The machine's disk and memory are not the cluster's alone: no pod goes because somebody else needs some.
  evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
  evictionPressureTransitionPeriod: '5s',
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 99,
  nodeStatusUpdateFrequency: '1s',
  kubeAPIQPS: 500,
  kubeAPIBurst: 1000,
});

const proxyConfig = (kubeconfig: string) => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  clientConnection: { kubeconfig },
  hostnameOverride: NODE,
  clusterCIDR: PODS,
  healthzBindAddress: '127.0.0.1:10256',
  // These limits are the machine's.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  nftables: { minSyncPeriod: '100ms' },
});

const STORAGE_CLASS = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};
