/** The helm that the run obtained, for tests. */
import { inject } from 'vitest';

const helm = inject('helm');
export const hasHelm = 'program' in helm;
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoHelm = 'missing' in helm ? ` (${helm.missing})` : '';

export function helmProgram(): string {
  if (!('program' in helm)) throw new Error(helm.missing);
  return helm.program;
}
