/** What a PruneSweep asks for: the accepted sweep, and what its pods are told. */
import { hash } from 'node:crypto';
import { acceptSweep, sweepYaml } from '../../sweep/accept';
import { definitionId } from '../../sweep/definition';
import { SpecError } from '../../sweep/errors';
import { gridSize, lineagesOf, packCount, podMemory } from '../../sweep/grid';
import { type Part, partsOf } from '../../sweep/packs';
import type { DatasetShape, PodTemplate, Sweep, SweepDefinition, SweepSpec } from '../../sweep/spec';
import { objectName, RETRY_ANNOTATION } from './names';
import { GROUP, KIND, type PruneSweep, VERSION } from './resource';

export interface Plan {
  spec: SweepSpec;
  /** The sweep without what concerns its pods' number alone: what they work on and what the table shows. */
  definition: SweepDefinition;
  /** As the aggregator says it of a sweep that it knows. */
  definitionId: string;
  /** Another whenever pods must be told something else. */
  revision: string;
  trials: number;
  /** One after another: the next begins when the one before has ended. */
  stages: Stage[];
  networks: number;
}

/** A Job of the sweep: all of it, or a part. */
export interface Stage {
  job: string;
  part?: Part;
  packs: number;
  /** Of a pod, when the template does not say it. */
  mebibytes: number;
}

/** Why nothing may be started. */
export interface Refusal {
  problems: string[];
}

/** @param shape of MNIST, the data set that pods bring along */
export function planOf({ metadata, spec }: PruneSweep, shape: DatasetShape): Plan | Refusal {
  const { name, annotations } = metadata;
  let sweep: Sweep;
  try {
    sweep = acceptSweep({ apiVersion: `${GROUP}/${VERSION}`, kind: KIND, metadata: { name }, spec }, shape);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return { problems: error.problems };
  }
  if (sweep.spec.dataset.idx !== undefined)
    return {
      problems: [
        'spec.dataset.idx: pods do not have these files; use name: mnist, or `prunesweep run` on a machine that has them',
      ],
    };
  const definition = { sweep: { ...sweep, spec: neutral(sweep.spec) }, shape };
  const size = gridSize(sweep.spec, shape);
  // Pods are made of the template, all but the price, which `plan` alone reads.
  const { gpuPrice: _, ...template } = sweep.spec.template;
  const told = [sweepYaml(definition.sweep), template, annotations?.[RETRY_ANNOTATION] ?? ''];
  const revision = hash('sha256', JSON.stringify(told)).slice(0, 8);
  const stages = partsOf(template).map((part) => ({
    ...{ job: objectName(name!, revision, part), packs: packCount(sweep.spec, shape, part) },
    mebibytes: podMemory(sweep.spec, shape, part),
    ...(part === undefined ? {} : { part }),
  }));
  return {
    ...{ spec: sweep.spec, definition, definitionId: definitionId(definition) },
    ...{ revision, trials: size.trials, stages, networks: size.networks.length },
  };
}

/** Pods go on when a trial fails, since it is the controller who counts failures over all of them. */
const neutral = (spec: SweepSpec): SweepSpec => ({
  ...spec,
  ...{ parallelism: 1, maxFailedTrials: 1_000_000, recordRetention: 'Retain', suspend: false },
  template: toldOf(spec.template),
});

/** What pods are told of their template: which lineages are whose, and whether they may do without a GPU. */
const toldOf = ({ accelerator, retrainOn, gpuResource, gpuMemory, allowCpu }: PodTemplate): PodTemplate =>
  accelerator !== 'gpu'
    ? {}
    : {
        accelerator,
        ...(retrainOn === undefined ? {} : { retrainOn }),
        ...(gpuResource === undefined ? {} : { gpuResource }),
        ...(gpuMemory === undefined ? {} : { gpuMemory }),
        ...(allowCpu === undefined ? {} : { allowCpu }),
      };

/** Whether a definition has a dense network of another. */
export function sharesLineages(one: SweepDefinition, other: SweepDefinition): boolean {
  const ids = new Set(lineagesOf(one.sweep.spec, one.shape).map(({ id }) => id));
  return lineagesOf(other.sweep.spec, other.shape).some(({ id }) => ids.has(id));
}
