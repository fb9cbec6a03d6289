/**
 * helm for the tests of the chart, from the first place that has it: PATH, the user's cache folder, the official download,
 * a build of the Go module beside this file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildHere, fingerprint, pinned } from './gobuild';
import {
  cacheFolder,
  download,
  inCache,
  isOlder,
  machine,
  obtain,
  programOnPath,
  requireSum,
  run,
  type Source,
  sumIn,
  versionOf,
} from './source';

const HELM_VERSION = pinned('helm.sh/helm/v3');
/** What it takes a cluster to be when it renders without one; it is built with the packages of this Kubernetes. */
const KUBERNETES_MINOR = pinned('k8s.io/kubernetes').split('.')[1]!;
/** The first that checks values by JSON Schema 2020-12, with messages that name the field. */
const OLDEST_HELM = [3, 18] as const;
const HELM_RELEASES = 'https://get.helm.sh';

const kept = () => join(cacheFolder(), `helm-${HELM_VERSION}-${fingerprint()}`);

/** @throws Error that says which version is needed */
async function requireHelmVersion(program: string): Promise<string> {
  const version = await versionOf(program, 'version', '--short');
  if (isOlder(version, OLDEST_HELM) || !version.startsWith('3.'))
    throw new Error(`${program} is helm ${version}; 3.${OLDEST_HELM[1]} or a newer 3 is needed`);
  return program;
}

const onPath: Source = {
  name: 'PATH',
  async find() {
    const program = programOnPath('helm');
    return program === undefined ? undefined : requireHelmVersion(program);
  },
};

const officialDownload: Source = {
  name: 'the official download',
  async find(folder) {
    const system = `${process.platform}-${machine()}`;
    const name = `helm-v${HELM_VERSION}-${system}.tar.gz`;
    const sums = await download(`${HELM_RELEASES}/${name}.sha256sum`);
    const archive = await download(`${HELM_RELEASES}/${name}`);
    requireSum(name, archive, sumIn(sums, name));
    writeFileSync(join(folder, name), archive);
    await run('tar', ['-xzf', join(folder, name), '-C', folder]);
    return join(folder, system, 'helm');
  },
};

const fromGo = (say: (line: string) => void): Source => ({
  name: 'a build of its Go module',
  async find(folder) {
    await run('go', ['version']);
    say('building helm from its Go module: less than a minute after Kubernetes, this once');
    await buildHere('helm.sh/helm/v3/cmd/helm', join(folder, 'helm'), {
      'helm.sh/helm/v3/internal/version.version': `v${HELM_VERSION}`,
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': KUBERNETES_MINOR,
    });
    return join(folder, 'helm');
  },
});

/**
 * @param say told of each source that is tried and has none
 * @throws Error with what each source said
 */
export const obtainHelm = (say: (line: string) => void): Promise<string> =>
  obtain(
    {
      ...{ name: 'helm', kept, check: requireHelmVersion },
      sources: [onPath, inCache(kept), officialDownload, fromGo(say)],
    },
    say,
  );
