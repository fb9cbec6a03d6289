/**
 * The programs of a Kubernetes control plane, and of its nodes those that are Kubernetes' own, each from the first place
 * that has it: the folder KUBEBUILDER_ASSETS, PATH, the user's cache folder, the official download, a build (../gobuild.ts).
 */
import { randomUUID } from 'node:crypto';
import { existsSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Amendment, buildAmended, buildHere, fingerprint, pinned } from '../gobuild';
import {
  cacheFolder,
  download,
  executable,
  inTemporaryFolder,
  isOlder,
  keep,
  lastLine,
  machine,
  programOnPath,
  requireSum,
  run,
  sumIn,
  versionOf,
} from '../source';

export const PROGRAMS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'kubelet',
  'kube-proxy',
] as const;
export type ProgramName = (typeof PROGRAMS)[number];
/** The path of each; elsewhere than on Linux there are no nodes, and `kubelet` and `kube-proxy` are missing. */
export type Programs = Record<ProgramName, string>;

const ofThisSystem = (program: ProgramName) =>
  process.platform === 'linux' || (program !== 'kubelet' && program !== 'kube-proxy');

const KUBERNETES = pinned('k8s.io/kubernetes');
const ETCD = pinned('go.etcd.io/etcd/server/v3');
const KWOK = pinned('sigs.k8s.io/kwok');
/** A name that this Kubernetes no longer has. With the packages of its own, kwok takes four minutes of a core more. */
const KWOK_AMENDMENT: Amendment = {
  module: 'sigs.k8s.io/kwok',
  file: 'pkg/utils/informer/informer.go',
  from: 'metav1.InitialEventsListBlueprintAnnotationKey',
  to: '"kubernetes.io/initial-events-list-blueprint"',
};

/** The oldest that a program on PATH or in KUBEBUILDER_ASSETS may be, and how it is asked for its version. */
const OLDEST: Record<ProgramName, readonly [major: number, minor: number]> = {
  etcd: [3, 5],
  'kube-apiserver': [1, 31],
  'kube-controller-manager': [1, 31],
  'kube-scheduler': [1, 31],
  kubectl: [1, 31],
  kwok: [0, 6],
  kubelet: [1, 31],
  'kube-proxy': [1, 31],
};
/** These speak to each other: of one minor version, or none of them is taken. */
const TOGETHER: readonly ProgramName[] = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
];

const minorOf = (version: string) => version.split('.').slice(0, 2).join('.');

/** Where to look; answers with what it has of `missing`, and says why it has not what it might have had. */
export interface Source {
  name: string;
  find(missing: readonly ProgramName[], pass: (reason: string) => void): Promise<Partial<Programs>>;
}

/** The cache's folder is another one for each set of pins: what it has suits this source tree. */
const keptFolder = () =>
  join(cacheFolder(), `kubernetes-${KUBERNETES}-${fingerprint(...Object.values(KWOK_AMENDMENT))}`);

/** Programs that somebody else put there: they may be older than what we need. */
function foreign(name: string, place: (program: ProgramName) => string | undefined): Source {
  return {
    name,
    async find(missing, pass) {
      const isWhole = TOGETHER.every((program) => place(program) !== undefined);
      const found: Partial<Programs> = {};
      for (const program of missing) {
        const path = place(program);
        if (path === undefined) continue;
        try {
          const version = await versionOf(path, ...(program === 'kubectl' ? ['version', '--client'] : ['--version']));
          if (isOlder(version, OLDEST[program]))
            throw new Error(`${path} is ${version}; ${OLDEST[program].join('.')} or newer is needed`);
          if (TOGETHER.includes(program) && !isWhole && minorOf(version) !== minorOf(KUBERNETES))
            throw new Error(`${path} is ${version}, and what must be of its version is not beside it`);
          found[program] = path;
        } catch (error) {
          pass(lastLine(error));
        }
      }
      return found;
    },
  };
}

export const inAssets = foreign('KUBEBUILDER_ASSETS', (program) => {
  const folder = process.env.KUBEBUILDER_ASSETS;
  const path = folder === undefined || folder === '' ? undefined : join(folder, program);
  return path !== undefined && existsSync(path) ? path : undefined;
});

export const onPath = foreign('PATH', programOnPath);

export const inCache: Source = {
  name: 'the cache folder',
  async find(missing) {
    const kept = missing.map((program) => [program, join(keptFolder(), program)] as const);
    return Object.fromEntries(kept.filter(([, path]) => existsSync(path)));
  },
};

export interface Releases {
  kubernetes: string;
  etcd: string;
  kwok: string;
}

const OFFICIAL: Releases = {
  kubernetes: 'https://dl.k8s.io',
  etcd: 'https://github.com/etcd-io/etcd/releases/download',
  kwok: 'https://github.com/kubernetes-sigs/kwok/releases/download',
};

/** Each release as its project publishes it, checked against the project's sum. */
export const officialDownload = (releases: Releases = OFFICIAL): Source => {
  const get: Partial<Record<ProgramName, (folder: string) => Promise<string>>> = {
    async etcd(folder) {
      const name = `etcd-v${ETCD}-${process.platform}-${machine()}`;
      const sums = await download(`${releases.etcd}/v${ETCD}/SHA256SUMS`);
      const archive = await download(`${releases.etcd}/v${ETCD}/${name}.tar.gz`);
      requireSum(`${name}.tar.gz`, archive, sumIn(sums, `${name}.tar.gz`));
      writeFileSync(join(folder, 'etcd.tar.gz'), archive);
      await run('tar', ['-xzf', join(folder, 'etcd.tar.gz'), '-C', folder]);
      return join(folder, name, 'etcd');
    },
    // This project publishes no sums: its site's certificate is what there is to trust.
    async kwok(folder) {
      const program = join(folder, 'kwok');
      writeFileSync(program, await download(`${releases.kwok}/v${KWOK}/kwok-${process.platform}-${machine()}`));
      return program;
    },
  };
  const ofKubernetes = async (program: ProgramName, folder: string) => {
    const url = `${releases.kubernetes}/v${KUBERNETES}/bin/${process.platform}/${machine()}/${program}`;
    const sum = await download(`${url}.sha256`);
    const bytes = await download(url);
    requireSum(program, bytes, sum.toString('utf8').trim().split(' ')[0]);
    writeFileSync(join(folder, program), bytes);
    return join(folder, program);
  };
  return {
    name: 'the official download',
    find: (missing, pass) =>
      inTemporaryFolder(async (folder) => {
        const found: Partial<Programs> = {};
        await Promise.all(
          missing.map(async (program) => {
            try {
              const path = executable(await (get[program]?.(folder) ?? ofKubernetes(program, folder)));
              found[program] = keep(path, join(keptFolder(), program));
            } catch (error) {
              pass(`${program}: ${lastLine(error)}`);
            }
          }),
        );
        return found;
      }),
  };
};

/** One binary under many names, a link each, renamed into its place so that it is never absent. */
function keepUnderNames(binary: string, names: readonly ProgramName[]): Partial<Programs> {
  const folder = keptFolder();
  keep(binary, join(folder, 'kubernetes'));
  const link = (name: ProgramName) => {
    const beside = join(folder, `${name}.${randomUUID()}`);
    symlinkSync('kubernetes', beside);
    renameSync(beside, join(folder, name));
    return [name, join(folder, name)] as const;
  };
  return Object.fromEntries(names.map(link));
}

export const fromGo = (say: (line: string) => void): Source => ({
  name: 'a build of its Go modules',
  find: (missing, pass) =>
    inTemporaryFolder(async (folder) => {
      await run('go', ['version']);
      say(`building ${missing.join(', ')} from Go modules: about ten minutes of two cores, this once`);
      const found: Partial<Programs> = {};
      const part = async (names: readonly ProgramName[], build: () => Promise<Partial<Programs>>) => {
        if (names.length === 0) return;
        await build().then(
          (built) => Object.assign(found, built),
          (error) => pass(`${names.join(', ')}: ${lastLine(error)}`),
        );
      };
      const ofModule = missing.filter((program) => program !== 'kwok');
      await part(ofModule, async () => {
        const [major, minor] = KUBERNETES.split('.');
        const said = 'k8s.io/component-base/version';
        await buildHere('.', join(folder, 'kubernetes'), {
          [`${said}.gitVersion`]: `v${KUBERNETES}`,
          [`${said}.gitMajor`]: major!,
          [`${said}.gitMinor`]: minor!,
        });
        return keepUnderNames(join(folder, 'kubernetes'), ofModule);
      });
      const kwok = missing.filter((program) => program === 'kwok');
      await part(kwok, async () => {
        await buildAmended('sigs.k8s.io/kwok/cmd/kwok', join(folder, 'kwok'), KWOK_AMENDMENT);
        return { kwok: keep(join(folder, 'kwok'), join(keptFolder(), 'kwok')) };
      });
      return found;
    }),
});

/**
 * @param say told of each program that a place might have had and has not
 * @throws Error with what each place said
 */
export async function obtainKubernetes(
  say: (line: string) => void,
  sources: readonly Source[] = [inAssets, onPath, inCache, officialDownload(), fromGo(say)],
): Promise<Programs> {
  const found: Partial<Programs> = {};
  const missing = () => PROGRAMS.filter((program) => found[program] === undefined && ofThisSystem(program));
  const reasons: string[] = [];
  for (const source of sources) {
    if (missing().length === 0) break;
    const passed: string[] = [];
    try {
      Object.assign(found, await source.find(missing(), (reason) => passed.push(reason)));
    } catch (error) {
      passed.push(lastLine(error));
    }
    if (passed.length > 0) say(`Kubernetes not from ${source.name}: ${passed.join(', ')}`);
    reasons.push(`${source.name}: ${passed.join(', ') || `has no ${missing().join(', ')}`}`);
  }
  if (missing().length > 0) throw new Error(`no ${missing().join(', ')} from any place: ${reasons.join('; ')}`);
  return found as Programs;
}
