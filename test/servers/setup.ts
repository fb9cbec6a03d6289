/** Obtains the servers once, before any test file runs; a test file that needs one asks `inject` for its program. */
import type { TestProject } from 'vitest/node';
import { obtainNats } from './obtain';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of nats-server, or why there is none. */
    nats: { program: string } | { missing: string };
  }
}

export default async function setup(project: TestProject): Promise<void> {
  const nats = await obtainNats((line) => process.stderr.write(`${line}\n`)).then(
    (program) => ({ program }),
    (error: Error) => ({ missing: error.message }),
  );
  project.provide('nats', nats);
}
