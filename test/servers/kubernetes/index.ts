/** The Kubernetes whose programs the run obtained, for tests: the control plane alone, or with a real node. */
import { inject } from 'vitest';
import { type ControlPlaneOptions, ControlPlane as Plane } from './controlplane';
import type { Programs } from './obtain';
import { RealCluster as Real, type RealClusterOptions } from './realcluster';
import { obtainTools, whyNoNode } from './tools';

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

const noNode = hasKubernetes ? whyNoNode() : undefined;
export const hasNode = hasKubernetes && noNode === undefined;
/** For the names of tests that need one, so that who skips them reads why. */
export const whyNoRealCluster = noNode === undefined ? whyNoKubernetes : ` (${noNode})`;

export type RealCluster = Real;
export const RealCluster = {
  async start(options: RealClusterOptions = {}): Promise<Real> {
    const tools = await obtainTools((line) => process.stderr.write(`${line}\n`));
    return Real.start(kubernetesPrograms(), tools, options);
  },
};
