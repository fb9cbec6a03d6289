/**
 * What a node needs that is not Kubernetes' own: containerd, runc, CNI plugins and nft, each from the first place that has
 * it: PATH, the user's cache folder, the official download, the packages of this machine's Debian or Ubuntu, which are
 * unpacked and not installed.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  cacheFolder,
  download,
  executable,
  inTemporaryFolder,
  isOlder,
  lastLine,
  machine,
  programOnPath,
  requireSum,
  run,
  sumIn,
  versionOf,
} from '../source';

interface Tool {
  programs: readonly string[];
  /** Below the root, when they are not in PATH. */
  elsewhere?: string;
  /** The oldest that will do, of the first program. */
  oldest?: readonly [major: number, minor: number];
  packages: readonly string[];
  official?(folder: string): Promise<void>;
}

const GITHUB = 'https://github.com';
const CONTAINERD = '1.7.27';
const RUNC = '1.2.6';
const CNI = '1.6.2';

async function unpack(site: string, name: string, sumFile: string, folder: string): Promise<void> {
  const archive = await download(`${GITHUB}/${site}/${name}`);
  requireSum(name, archive, sumIn(await download(`${GITHUB}/${site}/${sumFile}`), name));
  writeFileSync(join(folder, name), archive);
  await run('tar', ['-xzf', join(folder, name), '-C', folder]);
}

const TOOLS = {
  containerd: {
    programs: ['containerd', 'containerd-shim-runc-v2', 'ctr'],
    // The first with the interface that kubelet speaks, CRI v1.
    oldest: [1, 6],
    packages: ['containerd'],
    official(folder) {
      const name = `containerd-${CONTAINERD}-linux-${machine()}.tar.gz`;
      return unpack(`containerd/containerd/releases/download/v${CONTAINERD}`, name, `${name}.sha256sum`, folder);
    },
  },
  runc: {
    programs: ['runc'],
    oldest: [1, 1],
    packages: ['runc', 'libseccomp2'],
    async official(folder) {
      const name = `runc.${machine()}`;
      const site = `${GITHUB}/opencontainers/runc/releases/download/v${RUNC}`;
      const bytes = await download(`${site}/${name}`);
      requireSum(name, bytes, sumIn(await download(`${site}/runc.sha256sum`), name));
      writeFileSync(join(folder, 'runc'), bytes);
    },
  },
  cni: {
    programs: ['ptp', 'host-local', 'loopback'],
    elsewhere: '{opt/cni/bin,usr/lib/cni,usr/libexec/cni}',
    packages: ['containernetworking-plugins'],
    official(folder) {
      const name = `cni-plugins-linux-${machine()}-v${CNI}.tgz`;
      return unpack(`containernetworking/plugins/releases/download/v${CNI}`, name, `${name}.sha256`, folder);
    },
  },
  nft: {
    programs: ['nft'],
    oldest: [1, 0],
    packages: [
      ...['nftables', 'libnftables1', 'libnftnl11', 'libmnl0', 'libjansson4', 'libedit2', 'libxtables12'],
      ...['libgmp10', 'libbsd0', 'libmd0'],
    ],
  },
} as const satisfies Record<string, Tool>;

type ToolName = keyof typeof TOOLS;
/** The folder that has the programs of each, and the shared libraries that came with them. */
export type Tools = Record<ToolName, string>;

const NAMES = Object.keys(TOOLS) as ToolName[];
const isWhole = (folder: string, { programs }: Tool) => programs.every((program) => existsSync(join(folder, program)));

async function installed({ programs, elsewhere, oldest }: Tool): Promise<string | undefined> {
  const first = programOnPath(programs[0]!);
  const folders = [
    ...(first === undefined ? [] : [dirname(first)]),
    ...(elsewhere === undefined ? [] : globSync(`/${elsewhere}`)),
  ];
  const folder = folders.find((place) => programs.every((program) => existsSync(join(place, program))));
  if (folder === undefined || oldest === undefined) return folder;
  return isOlder(await versionOf(join(folder, programs[0]!), '--version'), oldest) ? undefined : folder;
}

/** Debian's or Ubuntu's, by lists of our own: a machine that was never updated has none, and its own are left as they are. */
class SystemPackages {
  private readonly options: readonly string[];
  private lists: Promise<unknown> | undefined;

  constructor(folder: string) {
    const [lists, cache] = [join(folder, 'lists'), join(folder, 'cache')];
    for (const place of [lists, cache]) mkdirSync(join(place, 'partial'), { recursive: true });
    const settings = [`Dir::State::Lists=${lists}`, `Dir::Cache=${cache}`, 'APT::Sandbox::User=root'];
    this.options = settings.flatMap((setting) => ['-o', setting]);
  }

  async unpack(names: readonly string[], folder: string): Promise<void> {
    this.lists ??= run('apt-get', [...this.options, 'update']);
    await this.lists;
    await run('apt-get', [...this.options, 'download', ...names], { cwd: folder });
    for (const archive of globSync('*.deb', { cwd: folder }))
      await run('dpkg', ['-x', archive, 'root'], { cwd: folder });
  }
}

/** The cache's folder is another one when another version or package is asked for. */
function keptFolder(name: ToolName): string {
  const pins = createHash('sha256').update(JSON.stringify([TOOLS, CONTAINERD, RUNC, CNI]));
  return join(cacheFolder(), `node-tools-${pins.digest('hex').slice(0, 8)}`, name);
}

/** Puts the programs, and libraries beside them, into the cache as a whole, whoever else does so at the same time. */
function keepTool(name: ToolName, unpacked: string): string {
  const picked = join(unpacked, 'picked');
  mkdirSync(picked);
  const programs = TOOLS[name].programs.map((program) => `{,**/bin/,**/sbin/,**/cni/}${program}`);
  for (const path of globSync([...programs, '**/lib/**/*.so.*'], { cwd: unpacked })) {
    copyFileSync(join(unpacked, path), join(picked, basename(path)));
    executable(join(picked, basename(path)));
  }
  if (!isWhole(picked, TOOLS[name])) throw new Error(`what was unpacked has no ${TOOLS[name].programs.join(', ')}`);
  const kept = keptFolder(name);
  const beside = `${kept}.${randomUUID()}`;
  cpSync(picked, beside, { recursive: true });
  rmSync(kept, { recursive: true, force: true });
  renameSync(beside, kept);
  return kept;
}

async function fetchTool(name: ToolName, system: SystemPackages, say: (line: string) => void): Promise<string> {
  const { official, packages }: Tool = TOOLS[name];
  const places: [string, (folder: string) => Promise<void>][] = [
    ...(official === undefined ? [] : [['the official download', official] as [string, typeof official]]),
    ["the system's packages", (folder) => system.unpack(packages, folder)],
  ];
  const reasons = ['PATH: none that is new enough'];
  for (const [place, fill] of places)
    try {
      return await inTemporaryFolder(async (folder) => {
        await fill(folder);
        return keepTool(name, folder);
      });
    } catch (error) {
      reasons.push(`${place}: ${lastLine(error)}`);
      say(`${name} not from ${reasons.at(-1)}`);
    }
  throw new Error(`no ${name} from any place: ${reasons.join('; ')}`);
}

/** Why this machine can have no node, whatever is obtained; undefined when it can. */
export function whyNoNode(): string | undefined {
  if (process.platform !== 'linux') return 'a node needs Linux';
  if (process.getuid!() !== 0) return 'only root can make the namespaces of a node';
  for (const program of ['unshare', 'nsenter', 'setpriv', 'mount', 'ip'])
    if (programOnPath(program) === undefined) return `a node needs ${program} on PATH`;
  if (!existsSync('/sys/fs/cgroup/memory') && !existsSync('/sys/fs/cgroup/cgroup.controllers'))
    return 'a node needs the memory controller of cgroups';
  if (!/\toverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return 'a node needs overlay file systems';
  return undefined;
}

/**
 * @param say told of each place that has not what it might have had
 * @throws Error with what each place said
 */
export const obtainTools = (say: (line: string) => void): Promise<Tools> =>
  inTemporaryFolder(async (place) => {
    const system = new SystemPackages(place);
    const found = NAMES.map(async (name) => {
      const kept = keptFolder(name);
      const isKept = isWhole(kept, TOOLS[name]);
      const folder = (await installed(TOOLS[name])) ?? (isKept ? kept : await fetchTool(name, system, say));
      return [name, folder] as const;
    });
    return Object.fromEntries(await Promise.all(found)) as Tools;
  });
