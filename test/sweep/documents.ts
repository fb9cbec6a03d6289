/** Sweep documents at random, made of the schema: valid ones, ones with one thing broken, and wild ones. */
import fc from 'fast-check';
import { type Schema, SWEEP_SCHEMA } from '../../sweep/schema';

type Fields = Record<string, unknown>;

const SPEC = SWEEP_SCHEMA.properties!.spec!;
const WORDS = ['auto', 'mnist', 'gpu', 'x', 'größer', '名前', '😀', 'a\u0000b', '\ud800', 'ab'.repeat(32)];
/** What the values of a field may be, beside those at its bounds. */
const SMALL: Record<string, fc.Arbitrary<unknown>> = {
  pattern: fc.constantFrom('ab'.repeat(32), '0'.repeat(64)),
  open: fc.constantFrom({}, { cpu: 1, nested: { null: null, list: [1, 'x'] } }),
};

/** Values that a schema takes. Lists are short, and numbers often at a bound. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.oneOfTypes !== undefined) return fc.oneof(...schema.oneOfTypes.map(valuesOf));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'integer': {
      const { minimum: min, maximum: max } = schema as { minimum: number; maximum: number };
      const usual = fc.integer({ min, max: Math.min(max, min + 20) });
      return fc.oneof({ weight: 8, arbitrary: usual }, fc.constantFrom(min, max), fc.integer({ min, max }));
    }
    case 'number': {
      const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
      const range = {
        ...{ min: minimum ?? exclusiveMinimum!, max: maximum ?? exclusiveMaximum! },
        ...{ minExcluded: minimum === undefined, maxExcluded: maximum === undefined, noNaN: true },
      };
      const usual = fc.constantFrom(...[0, 0.5, 0.9, 0.99, 1e-7].filter((x) => minimum !== undefined || x > 0));
      return fc.oneof({ weight: 4, arbitrary: usual }, fc.double(range));
    }
    case 'string':
      if (schema.pattern !== undefined) return SMALL.pattern!;
      return fc.constantFrom(...WORDS.filter((word) => word.length <= schema.maxLength!));
    case 'array':
      return fc.array(valuesOf(schema.items!), { minLength: schema.minItems ?? 0, maxLength: 4 });
    default:
      if (schema.properties === undefined) return SMALL.open!;
      return recordOf(schema.properties, schema.required ?? []);
  }
}

function recordOf(properties: Record<string, Schema>, required: readonly string[]): fc.Arbitrary<Fields> {
  const fields = Object.entries(properties).map(([name, field]) => [name, valuesOf(field)]);
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [...required],
  });
}

const usually = fc.integer({ min: 0, max: 9 }).map((n) => n > 0);

/** Specs that the structure allows; what they mean is mostly right too. */
const sound = recordOf(SPEC.properties!, SPEC.required!)
  .chain((spec) =>
    fc.record({
      spec: fc.constant(spec),
      hiddenWidths: fc.array(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 3 }), {
        minLength: 1,
        maxLength: 3,
      }),
      pruneRatios: fc.uniqueArray(fc.constantFrom(0, 0.5, 0.9, 0.99, 0.995, 0.99925), { minLength: 1, maxLength: 4 }),
      remainingWeights: fc.uniqueArray(fc.integer({ min: 1, max: 3000 }), { maxLength: 3 }),
      // Each part stays as the structure alone allows it now and then.
      tame: fc.record({
        widths: usually,
        ratios: usually,
        counts: usually,
        data: usually,
        momentum: usually,
        seeds: usually,
      }),
    }),
  )
  .map(({ spec, hiddenWidths, pruneRatios, remainingWeights, tame }) => {
    const made: Fields = { ...spec };
    if (tame.widths) made.hiddenWidths = hiddenWidths;
    if (tame.ratios) made.pruneRatios = pruneRatios;
    if (tame.counts) made.remainingWeights = remainingWeights;
    if (tame.data) delete made.dataset;
    if (tame.momentum && made.training !== undefined) made.training = { ...made.training, momentum: 0 };
    if (tame.seeds && typeof made.seeds === 'number') made.seeds = Math.min(made.seeds, 1000);
    return made;
  });

/** Values that hardly any field takes, and that are near to what some do. */
const ODD: readonly unknown[] = [
  ...[null, {}, [], '', 'x', '5', 'auto', 'größer', '\ud83d', true, false, [null], [[]], [{}], [0], ['x'], { a: 1 }],
  ...[0, -0, 1, -1, 0.5, 1.5, 2, 16, 17, 63, 64, 100, 101, 65536, 65537, 100000, 100001, 1000000, 1000001, 10001],
  ...[
    2 ** 31,
    2 ** 31 + 1,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53,
    2 ** 63,
    2 ** 64,
    -(2 ** 63),
    1e21,
    1e300,
    5e-324,
    0.1 + 0.2,
  ],
  ...[Array.from({ length: 17 }, () => 1), Array.from({ length: 101 }, () => ({})), 'x'.repeat(64), 'x'.repeat(4097)],
];
const FIELDS = [...new Set(namesOf(SWEEP_SCHEMA)), 'Seeds', 'größe', 'x', 'constructor'];

function namesOf(schema: Schema): string[] {
  const fields = Object.entries(schema.properties ?? {});
  const inItems = schema.items === undefined ? [] : namesOf(schema.items);
  return [...fields.flatMap(([name, field]) => [name, ...namesOf(field)]), ...inItems];
}

/** Places of a document, as paths. */
function places(value: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, child]) => places(child, [...at, name]))];
}

type Breakage =
  | { kind: 'replace'; by: unknown }
  | { kind: 'remove' | 'double' }
  | { kind: 'add'; field: string; value: unknown };

/** A copy of a document with one thing changed at a place. */
function broken(document: unknown, path: readonly string[], breakage: Breakage): unknown {
  const [name, ...rest] = path;
  if (name !== undefined && (rest.length > 0 || breakage.kind === 'add')) {
    const copy = (Array.isArray(document) ? [...document] : { ...(document as Fields) }) as Fields;
    copy[name] = rest.length > 0 ? broken(copy[name], rest, breakage) : withField(copy[name], breakage);
    return copy;
  }
  if (name === undefined) return document;
  if (Array.isArray(document)) {
    const index = Number(name);
    if (breakage.kind === 'replace') return document.with(index, breakage.by);
    return document.toSpliced(
      index,
      breakage.kind === 'remove' ? 1 : 0,
      ...(breakage.kind === 'double' ? [document[index]] : []),
    );
  }
  const { [name]: old, ...others } = document as Fields;
  if (breakage.kind === 'replace') return { ...others, [name]: breakage.by };
  return breakage.kind === 'remove' ? others : { ...others, [name]: Array.isArray(old) ? [...old, ...old] : old };
}

function withField(value: unknown, breakage: Breakage): unknown {
  if (breakage.kind !== 'add' || typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? [...value, breakage.value] : { ...value, [breakage.field]: breakage.value };
}

const whole = (spec: unknown, name: unknown = 'test') => ({
  ...{ apiVersion: 'prunesweep.dev/v1alpha1', kind: 'PruneSweep', metadata: { name } },
  spec,
});

const breakages: fc.Arbitrary<Breakage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('replace' as const), by: fc.constantFrom(...ODD) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'double' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      field: fc.constantFrom(...FIELDS),
      value: fc.constantFrom(...ODD),
    }),
  },
);

const names = fc.constantFrom(
  'a',
  '0',
  'a-b',
  'a'.repeat(63),
  'a'.repeat(64),
  'a.b',
  '-a',
  'a-',
  'A',
  '',
  'ä',
  5,
  null,
  {},
);
const wild = fc.oneof(
  fc.dictionary(fc.constantFrom(...FIELDS), fc.oneof(fc.constantFrom(...ODD), fc.jsonValue({ maxDepth: 2 })), {
    maxKeys: 5,
  }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Documents of all three kinds; all are JSON. */
export const documents: fc.Arbitrary<unknown> = fc
  .oneof(
    { weight: 4, arbitrary: sound.map((spec) => whole(spec)) },
    {
      weight: 5,
      arbitrary: fc.tuple(sound, breakages, fc.nat()).map(([spec, breakage, nth]) => {
        const document = whole(spec);
        // Of metadata both read the name alone.
        const isOpen = (path: readonly string[]) => breakage.kind === 'add' && path[0] === 'metadata';
        const all = places(document).filter((path) => path.length > 0 && !isOpen(path));
        return broken(document, all[nth % all.length]!, breakage);
      }),
    },
    { weight: 1, arbitrary: fc.tuple(sound, names).map(([spec, name]) => whole(spec, name)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(wild, fc.boolean())
        .map(([spec, hasGrid]) =>
          whole(
            hasGrid && typeof spec === 'object' && spec !== null
              ? { ...spec, hiddenWidths: [[9]], pruneRatios: [0] }
              : spec,
          ),
        ),
    },
  )
  // As the server is sent it: text, in which -0 is 0.
  .map((document) => JSON.parse(JSON.stringify(document)) as unknown);
