/**
 * Network, mounts and processes of a node's own. They end with one process, and the kernel ends with it whatever was begun
 * in them, with all mounts, links, addresses and rules. Only root can make them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, ServerProcess, type ServerProcessOptions } from '../process';
import { SERVICES } from './controlplane';

/** Of the node, the API server, DNS, and of what a test lets listen. The same in every cluster: its network is its own. */
export const NODE_ADDRESS = '10.89.2.1';

/** kubelet insists on these settings of the whole machine. Files that have the wanted values stand in for them. */
const SETTINGS = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/** What kubelet, containerd and runc keep at fixed places is the node's own; what else is there is hidden from them. */
export const HIDDEN = ['/run', '/var/lib', '/var/log'];

/** What the first process of the namespaces does, before it waits, and reaps whom others leave behind. */
const SET_UP = [
  'set -e',
  ...HIDDEN.map((hidden) => `mount -n -t tmpfs -o mode=755 prunesweep ${hidden}`),
  'mount -n -t proc proc /proc',
  'mkdir /run/settings',
  ...Object.entries(SETTINGS).flatMap(([name, value]) => {
    const file = `/run/settings/${basename(name)}`;
    return [`echo ${value} > ${file}`, `mount -n --bind ${file} /proc/sys/${name}`];
  }),
  'ip link set lo up',
  // A bridge without ports: connections of the node's own to Services are routed there, and so get as far as the rules of
  // kube-proxy. By lo its refusals would be lost.
  'ip link add node type bridge',
  'ip link set node up',
  `ip address add ${NODE_ADDRESS}/32 dev node`,
  `ip route add ${SERVICES} dev node src ${NODE_ADDRESS}`,
  // Pods' packets are routed, and every refusal is told at once: settings of this network.
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit',
  'echo > "$1/ready"',
  'while :; do sleep 1000000 & wait; done',
].join('\n');

/** Outlives the namespaces, and this process, to remove the pods' cgroups, which stay empty behind. */
const KEEPER = `
unshare --net --mount --pid --fork --kill-child sh -c "$2" sh "$1" &
echo $! > "$1/namespaces.pid"
wait
for tries in $(seq 200); do
  find /sys/fs/cgroup -depth -type d -path "*/$3*" -exec rmdir {} ';' 2> /dev/null
  [ -n "$(find /sys/fs/cgroup -type d -path "*/$3*" -print -quit 2> /dev/null)" ] || exit 0
  sleep 0.05
done`;

/** The process that nsenter has begun; it stays outside as its parent. */
function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child === undefined || child === '' ? undefined : Number(child);
}

/** A server in all the namespaces. */
export class InnerProcess extends ServerProcess {
  override get pid(): number {
    return childOf(super.pid) ?? super.pid;
  }

  override signal(name: NodeJS.Signals): void {
    if (!this.isRunning) return;
    process.kill(this.pid, name);
    // nsenter stops when its child does, and must be told too when it goes on.
    if (name === 'SIGCONT') super.signal(name);
  }

  override async kill(): Promise<void> {
    this.signal('SIGKILL');
    while (this.isRunning) await sleep(10);
  }
}

export class Namespaces {
  private constructor(
    private readonly folder: string,
    private readonly keeper: ChildProcess,
    /** Of the first process in them. */
    readonly pid: number,
  ) {}

  /**
   * @param folder has `namespaces.pid`: to kill that process is to end all of it
   * @param cgroup folder of every hierarchy that goes at the end
   */
  static async start(folder: string, cgroup: string): Promise<Namespaces> {
    const log = openSync(join(folder, 'namespaces.log'), 'a');
    const keeper = spawn('sh', ['-c', KEEPER, 'sh', folder, SET_UP, cgroup], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    while (!existsSync(join(folder, 'ready'))) {
      if (keeper.exitCode !== null)
        throw new Error(`no namespaces: ${readFileSync(join(folder, 'namespaces.log'), 'utf8').trim()}`);
      await sleep(10);
    }
    const outside = Number(readFileSync(join(folder, 'namespaces.pid'), 'utf8'));
    return new Namespaces(folder, keeper, childOf(outside)!);
  }

  /** Before a command: the network alone; files, processes and signals are this machine's. */
  get network(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`];
  }

  inner(options: ServerProcessOptions): InnerProcess {
    const enter = ['--target', `${this.pid}`, '--net', '--mount', '--pid'];
    return new InnerProcess({ ...options, program: 'nsenter', args: [...enter, options.program, ...options.args] });
  }

  /** Ends all that is in them. */
  async stop(): Promise<void> {
    if (this.keeper.exitCode !== null) return;
    const ended = once(this.keeper, 'exit');
    const outside = Number(readFileSync(join(this.folder, 'namespaces.pid'), 'utf8'));
    if (isAlive(outside)) process.kill(outside, 'SIGKILL');
    await ended;
    rmSync(join(this.folder, 'namespaces.pid'));
  }
}
