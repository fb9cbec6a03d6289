/** What clusters with a node may leave on a machine, to compare. */
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

function isIn(pid: string, network: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === network;
  } catch {
    return false;
  }
}

/**
 * @param pid of a process in the cluster's network
 * @returns names what there is of it at the moment: processes, mounts, groups, and its folder
 */
export function tracesOf(folder: string, pid: number): () => string[] {
  const network = readlinkSync(`/proc/${pid}/ns/net`);
  const { cgroupRoot } = JSON.parse(readFileSync(join(folder, 'kubelet.json'), 'utf8')) as { cgroupRoot: string };
  return () => [
    ...readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isIn(name, network)),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(folder) || line.startsWith('prunesweep ')),
    // What runs in pods is in these.
    ...globSync(`/sys/fs/cgroup/{,*/}${cgroupRoot}`),
    ...(existsSync(folder) ? [folder] : []),
  ];
}

const SETTINGS = [
  ...['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'net/ipv4/ip_forward'],
  ...['kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'],
];

/** What of this machine a cluster might change that is not its own. */
export const machine = () => ({
  links: readdirSync('/sys/class/net').sort(),
  settings: SETTINGS.map((name) => `${name} ${readFileSync(`/proc/sys/${name}`, 'utf8').trim()}`),
});
