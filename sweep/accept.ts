/** From a document to an accepted sweep, or to everything that is wrong with it. */
import Ajv, { type ErrorObject } from 'ajv';
import { stringify } from 'yaml';
import { SpecError } from './errors';
import { layerSizes, networkName, remainingFor, weightCount } from './networks';
import { type Schema, SWEEP_SCHEMA } from './schema';
import type { DatasetShape, Sweep, SweepSpec } from './spec';

const MOST_TRIALS = 1_000_000;
/** Weights, gradients and moments of more do not fit the 4 GiB that a worker can address. */
const MOST_WEIGHTS = 2 ** 27;

/** Of one kind; a person mends a few and tries again. */
const MOST_PROBLEMS = 50;

const thousands = (n: number) => n.toLocaleString('en-US', { maximumFractionDigits: 0 });

/** The schema as JSON Schema has it. */
function jsonSchema({ open, oneOfTypes, properties, items, ...rest }: Schema): object {
  const nested = {
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, jsonSchema(field)])),
        }),
    ...(items === undefined ? {} : { items: jsonSchema(items) }),
  };
  if (oneOfTypes !== undefined) {
    // The list form for a list, the other for everything else, so that errors speak of the form that was meant.
    const [scalar, other] = oneOfTypes as [Schema, Schema];
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's keyword
    return { ...rest, if: { type: other.type }, then: jsonSchema(other), else: jsonSchema(scalar) };
  }
  return { ...rest, ...nested, ...(rest.type === 'object' && open !== true ? { additionalProperties: false } : {}) };
}

const ajv = new Ajv({ allErrors: true, strictNumbers: true, useDefaults: true, verbose: true, strict: false });
const validate = ajv.compile(jsonSchema(SWEEP_SCHEMA));

function shorten(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** /spec/hiddenWidths/2/1 to spec.hiddenWidths[2][1]. */
function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '');
}

const withArticle = (title: string) => `${/^([aeio]|L\d|API)/i.test(title) ? 'an' : 'a'} ${title}`;

const list = (items: readonly string[], joint: 'and' | 'or') =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${joint} ${items.at(-1)}`;

/** What a field takes, in words. */
export function expectation(schema: Schema): string {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (schema.oneOfTypes !== undefined) return schema.oneOfTypes.map(expectation).join(', or ');
  if (schema.enum !== undefined) return list(schema.enum.map(String), 'or');
  switch (type) {
    case 'integer':
      return `an integer from ${minimum} to ${maximum}`;
    case 'number': {
      const above = minimum === undefined ? `above ${exclusiveMinimum}` : `from ${minimum}`;
      return `a number ${above} to ${maximum ?? `below ${exclusiveMaximum}`}`;
    }
    case 'array':
      return `a list of ${schema.minItems ?? 0} to ${schema.maxItems}, each ${expectation(schema.items!)}`;
    case 'boolean':
      return 'true or false';
    case 'object':
      return schema.properties === undefined
        ? 'an object'
        : `an object with ${list(Object.keys(schema.properties), 'and')}`;
    default:
      return schema.description;
  }
}

/** Edits (insertions, deletions, replacements, swaps of neighbours) between two words. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Paths of all fields of this name. */
function pathsOf(name: string, schema: Schema = SWEEP_SCHEMA, at = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([field, child]) => {
    const path = at === '' ? field : `${at}.${field}`;
    const inItems = child.items === undefined ? [] : pathsOf(name, child.items, `${path}[]`);
    return [...(field === name ? [path] : []), ...pathsOf(name, child, path), ...inItems];
  });
}

function unknownField(path: string, name: string, known: string[]): string {
  const field = path === '' ? name : `${path}.${name}`;
  const shown = field.length > 100 ? `${field.slice(0, 99)}…` : field;
  const near = known
    .map((other) => ({ other, distance: editDistance(name.slice(0, 64).toLowerCase(), other.toLowerCase()) }))
    .filter(({ other, distance }) => distance <= Math.max(2, other.length / 3))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near !== undefined) return `${shown}: unknown field; did you mean ${path === '' ? '' : `${path}.`}${near.other}?`;
  const elsewhere = pathsOf(name)[0];
  if (elsewhere !== undefined) return `${shown}: unknown field here; did you mean ${elsewhere}?`;
  return `${shown}: unknown field; the fields here are ${list(known, 'and')}`;
}

/** A structural problem, and the path that it spoils. */
interface Problem {
  path: string;
  text: string;
}

function explain(error: ErrorObject): Problem | undefined {
  const path = fieldPath(error.instancePath);
  const schema = error.parentSchema as Schema;
  switch (error.keyword) {
    case 'if':
      return undefined;
    case 'additionalProperties': {
      const { additionalProperty } = error.params as { additionalProperty: string };
      const text = unknownField(path, additionalProperty, Object.keys(schema.properties ?? {}));
      return { path: `${path}.${additionalProperty}`, text };
    }
    case 'required': {
      const { missingProperty } = error.params as { missingProperty: string };
      const field = path === '' ? missingProperty : `${path}.${missingProperty}`;
      const example = schema.properties?.[missingProperty]?.example;
      return {
        path: field,
        text: `${field}: missing; ${example === undefined ? `add ${missingProperty}` : `for example \`${example}\``}`,
      };
    }
    default: {
      const place = path === '' ? 'the file' : path;
      return {
        path,
        text: `${place}: ${shorten(error.data)} is not ${withArticle(schema.title)} (${expectation(schema)})`,
      };
    }
  }
}

/** Checks the document against the schema; the copy that is returned has all defaults. */
function checkStructure(document: unknown): { copy: unknown; problems: Problem[] } {
  const copy = structuredClone(document);
  if (validate(copy)) return { copy, problems: [] };
  const byText = new Map<string, Problem>();
  for (const error of validate.errors ?? []) {
    const problem = explain(error);
    if (problem !== undefined) byText.set(problem.text, problem);
  }
  return { copy, problems: [...byText.values()] };
}

/** Positions of the first two equal items. */
function duplicate(items: readonly unknown[]): [number, number] | undefined {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const key = JSON.stringify(item);
    const before = seen.get(key);
    if (before !== undefined) return [before, index];
    seen.set(key, index);
  }
  return undefined;
}

/**
 * What a schema cannot say. `isSound` tells whether a field of the spec is there and has no structural problem: a path
 * such as `seeds` or `hiddenWidths[2]`.
 */
function checkMeaning(spec: SweepSpec, shape: DatasetShape | undefined, isSound: (field: string) => boolean): string[] {
  const problems: string[] = [];
  const { dataset, training } = spec;
  if (isSound('dataset')) {
    if (dataset.name !== undefined && dataset.idx !== undefined)
      problems.push('spec.dataset: both name and idx are given; leave one out');
    if (dataset.sha256 !== undefined && dataset.idx === undefined)
      problems.push('spec.dataset.sha256: only idx files are checked by digest; leave it out');
    if (shape !== undefined && dataset.validation >= shape.trainImages)
      problems.push(
        `spec.dataset.validation: ${dataset.validation} of ${shape.trainImages} training images leaves none to train on; hold back fewer`,
      );
    if (
      shape !== undefined &&
      dataset.idx !== undefined &&
      dataset.sha256 !== undefined &&
      shape.identity !== `sha256:${dataset.sha256}`
    )
      problems.push(
        `spec.dataset.sha256: ${dataset.sha256}, but the files have ${shape.identity.slice(7)}: they are not those that the sweep was accepted with; bring those back, or remove sha256 to use these`,
      );
  }
  if (isSound('training') && training.optimizer === 'adam' && training.momentum !== 0)
    problems.push(
      `spec.training.momentum: ${training.momentum} has no meaning with adam; take it away or set optimizer: sgd`,
    );
  const lists = ['hiddenWidths', 'pruneRatios', 'remainingWeights', 'seeds'] as const;
  for (const field of lists) {
    const items = spec[field] as unknown;
    const [first, second] = (isSound(field) && Array.isArray(items) && duplicate(items)) || [];
    if (first !== undefined && second !== undefined)
      problems.push(
        `spec.${field}[${second}]: ${shorten((items as unknown[])[second])} stands at [${first}] already; leave one out`,
      );
  }
  if (isSound('recipes') && isSound('training')) {
    const effective = spec.recipes.map((recipe) => ({ l1: training.l1, l2: training.l2, ...recipe }));
    const [first, second] =
      duplicate(
        effective.map(({ criterion, scope, recovery, schedule, l1, l2 }) => [
          criterion,
          scope,
          recovery,
          schedule,
          l1,
          l2,
        ]),
      ) ?? [];
    if (first !== undefined) problems.push(`spec.recipes[${second}]: the same as recipes[${first}]; leave one out`);
  }
  if (
    isSound('pruneRatios') &&
    isSound('remainingWeights') &&
    spec.pruneRatios.length + spec.remainingWeights.length === 0
  )
    problems.push('spec.pruneRatios: missing, and remainingWeights too; for example `pruneRatios: [0, 0.9, 0.99]`');
  if (shape !== undefined) problems.push(...checkNetworks(spec, shape, isSound));
  if ([...lists, 'recipes'].every(isSound)) {
    const seeds = typeof spec.seeds === 'number' ? (spec.seeds as number) : spec.seeds.length;
    const targets = spec.pruneRatios.length + spec.remainingWeights.length;
    const trials = spec.hiddenWidths.length * targets * spec.recipes.length * seeds;
    if (trials > MOST_TRIALS)
      problems.push(
        `spec: ${thousands(spec.hiddenWidths.length)} networks x ${thousands(targets)} targets x ${thousands(spec.recipes.length)} recipes x ${thousands(seeds)} seeds are ${thousands(trials)} trials, a sweep has at most ${thousands(MOST_TRIALS)}; split it`,
      );
  }
  return problems;
}

/** Networks that are too large, and targets that a network cannot have. */
function checkNetworks(spec: SweepSpec, shape: DatasetShape, isSound: (field: string) => boolean): string[] {
  const problems: string[] = [];
  const sound = <T>(field: 'hiddenWidths' | 'pruneRatios' | 'remainingWeights', items: readonly T[]) =>
    Array.isArray(items) ? [...items.entries()].filter(([index]) => isSound(`${field}[${index}]`)) : [];
  for (const [index, hiddenWidths] of sound('hiddenWidths', spec.hiddenWidths)) {
    const weights = weightCount(layerSizes(hiddenWidths, shape));
    const network = `${networkName(hiddenWidths)} (${thousands(weights)} weights)`;
    if (weights > MOST_WEIGHTS) {
      problems.push(
        `spec.hiddenWidths[${index}]: ${network} is too large, at most ${thousands(MOST_WEIGHTS)} fit a worker's memory; take smaller widths`,
      );
      continue;
    }
    for (const [at, ratio] of sound('pruneRatios', spec.pruneRatios))
      if (remainingFor(ratio, weights) === 0)
        problems.push(
          `spec.pruneRatios[${at}]: ${ratio} leaves no weight of ${network}; take ${1 - 1 / weights} or less`,
        );
    for (const [at, count] of sound('remainingWeights', spec.remainingWeights))
      if (count > weights)
        problems.push(
          `spec.remainingWeights[${at}]: ${count} is more than ${network} has; take at most ${weights}, or leave the network out`,
        );
    if (problems.length > MOST_PROBLEMS) return [...problems.slice(0, MOST_PROBLEMS), 'and more of the same kind'];
  }
  return problems;
}

/**
 * @param document as read from YAML or JSON
 * @param shape of the data set; undefined when it could not be read, and what depends on it is then not checked
 * @throws SpecError with every problem of the document
 */
export function acceptSweep(document: unknown, shape: DatasetShape | undefined): Sweep {
  const { copy, problems } = checkStructure(document);
  const sweep = copy as Sweep;
  const texts = problems.map(({ text }) => text);
  const paths = problems.map(({ path }) => path);
  const isSound = (field: string) => {
    const path = `spec.${field}`;
    const spoils = (problem: string) =>
      problem === path ||
      problem.startsWith(`${path}.`) ||
      problem.startsWith(`${path}[`) ||
      path.startsWith(`${problem}[`);
    return field.split('[')[0]! in sweep.spec && !paths.some(spoils);
  };
  if (typeof sweep?.spec === 'object' && sweep.spec !== null) texts.push(...checkMeaning(sweep.spec, shape, isSound));
  if (texts.length > 0) throw new SpecError(texts);
  return complete(sweep, shape);
}

/** Fills in what defaults of the schema cannot: the list of seeds, the name or digest of the data. */
function complete({ apiVersion, kind, metadata, spec }: Sweep, shape: DatasetShape | undefined): Sweep {
  const { name, idx, sha256, validation } = spec.dataset;
  const digest = shape?.identity.startsWith('sha256:') ? shape.identity.slice(7) : sha256;
  const dataset =
    idx === undefined
      ? { name: name ?? ('mnist' as const), validation }
      : { idx, ...(digest === undefined ? {} : { sha256: digest }), validation };
  const count = spec.seeds as number | number[];
  const seeds = typeof count === 'number' ? Array.from({ length: count }, (_, i) => i + 1) : count;
  return { apiVersion, kind, metadata: { name: metadata.name }, spec: inOrder({ ...spec, dataset, seeds }) };
}

/** The fields in the schema's order, whatever the file's was. */
function inOrder(spec: SweepSpec): SweepSpec {
  const ordered = (value: unknown, schema: Schema): unknown => {
    if (Array.isArray(value))
      return value.map((item) => (schema.items === undefined ? item : ordered(item, schema.items)));
    if (typeof value !== 'object' || value === null || schema.properties === undefined) return value;
    const fields = Object.entries(schema.properties).filter(([name]) => name in value);
    return Object.fromEntries(
      fields.map(([name, child]) => [name, ordered((value as Record<string, unknown>)[name], child)]),
    );
  };
  return ordered(spec, SWEEP_SCHEMA.properties!.spec!) as SweepSpec;
}

/** The text of sweep.yaml. */
export const sweepYaml = (sweep: Sweep): string =>
  stringify(sweep, { schema: 'core', lineWidth: 120, flowCollectionPadding: false, collectionStyle: 'any' });
