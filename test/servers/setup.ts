/** Obtains the servers once, before any test file runs; a test file that needs one asks `inject` for its programs. */
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isReached } from './imports';
import { obtainKubernetes, type Programs } from './kubernetes/obtain';
import { obtainNats } from './obtain';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of nats-server, or why there is none. */
    nats: { program: string } | { missing: string };
    /** Paths of the programs of a Kubernetes control plane, or why there are none. */
    kubernetes: { programs: Programs } | { missing: string };
  }
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const missing = (error: Error) => ({ missing: error.message });

export default async function setup(project: TestProject): Promise<void> {
  // Building Kubernetes takes minutes: it is not for a run of files that do not use it.
  const usesKubernetes = isReached(join(__dirname, 'kubernetes', 'index.ts'), project.vitest.state.getPaths());
  const [nats, kubernetes] = await Promise.all([
    obtainNats(say).then((program) => ({ program }), missing),
    usesKubernetes
      ? obtainKubernetes(say).then((programs) => ({ programs }), missing)
      : { missing: 'no test file of this run imports test/servers/kubernetes' },
  ]);
  project.provide('nats', nats);
  project.provide('kubernetes', kubernetes);
}
