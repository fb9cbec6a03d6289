/** From a document to an accepted sweep, or to everything that is wrong with it. */
import { Document, isScalar, visit } from 'yaml';
import { SpecError } from './errors';
import { checkMeaning, type Draft } from './meaning';
import { MOST_CHARACTERS, tooLong } from './read';
import { type Schema, SWEEP_SCHEMA } from './schema';
import type { DatasetShape, Sweep, SweepSpec } from './spec';
import { checkStructure, type StructureProblem } from './structure';

/** A person mends a few and tries again. */
const MOST_PROBLEMS = 50;
/** Seeds that sweep.yaml lists; a longer run from 1 is given as its count, which reads better and stays a small file. */
const MOST_LISTED_SEEDS = 100;

/**
 * @param document as read from YAML or JSON
 * @param shape of the data set; undefined when it could not be read, and what depends on it is then not checked
 * @throws SpecError with every problem of the document, up to 50
 */
export function acceptSweep(document: unknown, shape: DatasetShape | undefined): Sweep {
  const { copy, problems } = checkStructure(document);
  const spec = (copy as { spec?: unknown } | null)?.spec;
  const isObject = typeof spec === 'object' && spec !== null && !Array.isArray(spec);
  const meaning = isObject ? checkMeaning(draftOf(spec as Draft['spec'], problems), shape) : [];
  const texts = [...problems.map(({ text }) => text), ...meaning];
  const more = texts.length - MOST_PROBLEMS;
  if (more > 0) throw new SpecError([...texts.slice(0, MOST_PROBLEMS), `and ${more} more problems`]);
  if (texts.length > 0) throw new SpecError(texts);

  const sweep = complete(copy as Sweep, shape);
  const { length } = sweepYaml(sweep);
  // It could be written, but not be read again.
  if (length > MOST_CHARACTERS) throw new SpecError([tooLong('the sweep with its defaults', length)]);
  return sweep;
}

function draftOf(spec: Draft['spec'], problems: readonly StructureProblem[]): Draft {
  const unusable = new Set(problems.map(({ spoils }) => spoils));
  const touched = new Set(problems.flatMap(({ spoils }) => (spoils === undefined ? [] : andAround(spoils))));
  return {
    spec,
    isSound: (path) =>
      !touched.has(`spec.${path}`) && !andAround(`spec.${path}`).some((around) => unusable.has(around)),
    isList: (path) => path in spec && !unusable.has(`spec.${path}`),
  };
}

/** spec.hiddenWidths[2][1], spec.hiddenWidths[2], spec.hiddenWidths and spec. */
function andAround(path: string): string[] {
  const paths: string[] = [];
  for (let around = path; around !== ''; around = around.slice(0, Math.max(0, around.search(/[.[][^.[]*$/))))
    paths.push(around);
  return paths;
}

/** Fills in what defaults of the schema cannot: the list of seeds, the name or digest of the data. */
function complete({ apiVersion, kind, metadata, spec }: Sweep, shape: DatasetShape | undefined): Sweep {
  const { name, idx, sha256, validation } = spec.dataset;
  const digest = shape?.identity.startsWith('sha256:') ? shape.identity.slice('sha256:'.length) : sha256;
  const dataset =
    idx === undefined
      ? { name: name ?? ('mnist' as const), validation }
      : { idx, ...(digest === undefined ? {} : { sha256: digest }), validation };
  const seeds = typeof spec.seeds === 'number' ? firstSeeds(spec.seeds) : spec.seeds.map((seed) => seed + 0);
  return {
    apiVersion,
    kind,
    metadata: { name: metadata.name },
    spec: inOrder({ ...spec, dataset, seeds }, SWEEP_SCHEMA.properties!.spec!) as SweepSpec,
  };
}

const firstSeeds = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** The fields in the schema's order, whatever the file's was, and -0 as 0. */
function inOrder(value: unknown, schema: Schema): unknown {
  if (typeof value === 'number') return value + 0;
  if (Array.isArray(value))
    return schema.items === undefined ? value : value.map((item) => inOrder(item, schema.items!));
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return value;
  const fields = Object.entries(schema.properties).filter(([name]) => name in value);
  return Object.fromEntries(
    fields.map(([name, child]) => [name, inOrder((value as Record<string, unknown>)[name], child)]),
  );
}

/** The text of sweep.yaml: equal sweeps have equal texts, and a text is accepted as the sweep that it was made of. */
export function sweepYaml({ spec, ...rest }: Sweep): string {
  const { seeds } = spec;
  const isRun = seeds.length > MOST_LISTED_SEEDS && seeds.every((seed, index) => seed === index + 1);
  const document = new Document(
    { ...rest, spec: { ...spec, seeds: isRun ? seeds.length : seeds } },
    { schema: 'core', aliasDuplicateObjects: false },
  );
  visit(document, {
    Seq(_, sequence) {
      sequence.flow = sequence.items.every(isScalar);
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
