/** The Kubernetes control plane whose programs the run obtained, for tests. */
import { inject } from 'vitest';
import { type ControlPlaneOptions, ControlPlane as Plane } from './controlplane';
import type { Programs } from './obtain';

const kubernetes = inject('kubernetes');
export const hasKubernetes = 'programs' in kubernetes;
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoKubernetes = 'missing' in kubernetes ? ` (${kubernetes.missing})` : '';

export function kubernetesPrograms(): Programs {
  if (!('programs' in kubernetes)) throw new Error(kubernetes.missing);
  return kubernetes.programs;
}

export type ControlPlane = Plane;
export const ControlPlane = {
  start(options: ControlPlaneOptions = {}): Promise<Plane> {
    return Plane.start(kubernetesPrograms(), options);
  },
};
