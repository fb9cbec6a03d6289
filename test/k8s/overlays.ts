/** The overlays as kustomize renders them, for tests. */
import { join, resolve } from 'node:path';
import type { KubernetesObject, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { kubernetesPrograms } from '../servers/kubernetes';
import { run } from '../servers/source';

export const OVERLAYS = resolve(__dirname, '../../k8s/overlays');
export const OVERLAY_NAMES = ['quickstart', 'production', 'kueue', 'gpu'] as const;
export type OverlayName = (typeof OVERLAY_NAMES)[number];
export const NAMESPACE = 'prunesweep';

export interface Manifest extends KubernetesObject {
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: { template?: V1PodTemplateSpec; volumeClaimTemplates?: { metadata: { name: string } }[] };
}
export type Workload = Manifest & { spec: { template: { spec: V1PodSpec } } };

export const manifestsIn = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

const rendered = new Map<OverlayName, Promise<Manifest[]>>();

export function render(overlay: OverlayName): Promise<Manifest[]> {
  const make = async () => {
    const { stdout, stderr } = await run(kubernetesPrograms().kubectl, ['kustomize', join(OVERLAYS, overlay)]);
    // A warning is what an administrator reads, and so none is wanted.
    if (stderr !== '') throw new Error(stderr);
    return manifestsIn(stdout);
  };
  if (!rendered.has(overlay)) rendered.set(overlay, make());
  return rendered.get(overlay)!;
}

export const workloads = (manifests: readonly Manifest[]): Workload[] =>
  manifests.filter(({ spec }) => spec?.template?.spec !== undefined) as Workload[];
