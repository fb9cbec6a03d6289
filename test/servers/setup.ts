/** Obtains the servers once, before any test file runs; a test file that needs one asks `inject` for its programs. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { installTfjs } from '../../trainer/engine/tfjs/install/install';
import { PACKAGES } from '../../trainer/engine/tfjs/install/place';
import { isReached } from './imports';
import { obtainKubernetes, type Programs } from './kubernetes/obtain';
import { obtainNats } from './obtain';
import { obtainHelm } from './obtainhelm';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of nats-server, or why there is none. */
    nats: { program: string } | { missing: string };
    /** Paths of the programs of a Kubernetes control plane, or why there are none. */
    kubernetes: { programs: Programs } | { missing: string };
    /** Path of helm, or why there is none. */
    helm: { program: string } | { missing: string };
    /** What to `require` for TensorFlow for Node, or why there is none. */
    tfjs: { path: string } | { missing: string };
  }
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const missing = (error: Error) => ({ missing: error.message });

/** As a user gets it: `prunesweep tfjs cpu`. */
async function obtainTfjs(): Promise<string> {
  const { folder } = await installTfjs('cpu', say);
  return createRequire(join(folder, 'package.json')).resolve(PACKAGES.cpu);
}

export default async function setup(project: TestProject): Promise<void> {
  // Building Kubernetes or helm takes minutes: it is not for a run of files that do not use it.
  const uses = (file: string) => isReached(join(__dirname, file), project.vitest.state.getPaths());
  const unused = (file: string) => ({ missing: `no test file of this run imports test/servers/${file}` });
  const kubernetesOnce = uses('kubernetes/index.ts')
    ? obtainKubernetes(say).then((programs) => ({ programs }), missing)
    : Promise.resolve(unused('kubernetes'));
  const [nats, kubernetes, helm, tfjs] = await Promise.all([
    obtainNats(say).then((program) => ({ program }), missing),
    kubernetesOnce,
    // One after the other: where both are built, helm is made of packages that Kubernetes has compiled by then.
    kubernetesOnce.then(() =>
      uses('helm.ts') ? obtainHelm(say).then((program) => ({ program }), missing) : unused('helm'),
    ),
    uses('tfjs.ts') ? obtainTfjs().then((path) => ({ path }), missing) : unused('tfjs.ts'),
  ]);
  project.provide('nats', nats);
  project.provide('kubernetes', kubernetes);
  project.provide('helm', helm);
  project.provide('tfjs', tfjs);
}
