/**
 * The sweep file as Kubernetes knows it: the resource definition, made of the schema that the command line checks with,
 * and the rules of `meaning.ts` in CEL, so that `kubectl apply` refuses what the command line refuses.
 * `UNKNOWN_TO_CEL` lists what it cannot.
 */
import { MOST_TRIALS, MOST_WEIGHTS } from './meaning';
import { type Schema, SWEEP_SCHEMA } from './schema';
import { STATUS_SCHEMA } from './status';
import { expectation, thousands, withArticle } from './wording';

/** What the API server takes, or says, otherwise than `acceptSweep`; the controller finds the rest and says so. */
export const UNKNOWN_TO_CEL = [
  'the files of dataset.idx: their digest, their shape and what follows from it',
  'that sweep.yaml, with all defaults, has more than 65,536 characters',
  'a seed, or a network, twice in a list of more than 500',
  'null for a field that may be left out: the server reads it as left out',
  'a fraction so near an integer (8.0000000001) that the server takes it for one, in fields that no CEL rule reads',
  'fields of metadata beside the name, which the command line does not read: Kubernetes refuses those it does not know',
  'an integer written 5.0 in raw JSON, in fields that a CEL rule or kubectl scale reads: refused here. kubectl sends 5',
] as const;

/** Of the one named data set; what it says of IDX files only who has them can know. */
const MNIST = { inputs: 784, classes: 10, trainImages: 60_000 };
/** Longer lists take more steps to compare, each with each, than a rule is given. */
const MOST_COMPARED = 500;

interface Rule {
  rule: string;
  /** CEL that makes the text; the server puts the field before it. */
  messageExpression: string;
  /** The field that the error names, from where the rule stands; that place if nothing else is said. */
  fieldPath?: string;
}

/**
 * CEL that puts values into a text, each at `%s`. Adding texts up would not do: the server takes string(x) to be of any
 * length, and refuses a rule that might have to copy it.
 */
const filled = (text: string, ...values: string[]): string => `${quoted(text)}.format([${values.join(', ')}])`;
/** A text of CEL. */
const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;

const { spec, metadata } = SWEEP_SCHEMA.properties as { spec: Schema; metadata: Schema };
const fieldsOf = spec.properties as Record<string, Schema>;

/** CEL for the weights of the network `w`, in doubles: widths that are out of bounds must not overflow. */
function weightsOf(w: string): string {
  const most = fieldsOf.hiddenWidths!.items!.maxItems!;
  const from = (layer: number): string => {
    const outputs = `${MNIST.classes}.0`;
    if (layer === most - 1) return outputs;
    return `(${w}.size() > ${layer + 1} ? double(${w}[${layer + 1}]) : ${outputs})`;
  };
  const rest = (layer: number): string =>
    `double(${w}[${layer}]) * ${from(layer)}${layer === most - 1 ? '' : ` + (${w}.size() > ${layer + 1} ? ${rest(layer + 1)} : 0.0)`}`;
  return `(${w}.size() == 0 ? 0.0 : ${MNIST.inputs}.0 * double(${w}[0]) + ${rest(0)})`;
}

const smallest = `self.hiddenWidths.map(w, ${weightsOf('w')}).min()`;
const tooLarge = `${weightsOf('w')} > ${MOST_WEIGHTS}.0`;
/** Rules of networks hold for the named data set, and need a network. */
const ofNetworks = (list: string): string =>
  `has(self.dataset.idx) || self.hiddenWidths.size() == 0 || self.${list}.size() == 0`;

const penaltyOf = (recipe: string, norm: string): string =>
  `(has(${recipe}.${norm}) ? ${recipe}.${norm} : self.training.${norm})`;
const sameRecipe = (a: string, b: string): string =>
  [
    ...['criterion', 'scope', 'recovery', 'schedule'].map((name) => `${a}.${name} == ${b}.${name}`),
    ...['l1', 'l2'].map((norm) => `${penaltyOf(a, norm)} == ${penaltyOf(b, norm)}`),
  ].join(' && ');
/** Recipes with these are not compared: lists would cost more than a rule is given. The controller compares them. */
const isUncompared = (recipe: string): string =>
  ['keepDense', 'linear', 'retraining'].map((name) => `has(${recipe}.${name})`).join(' || ');
const isOnce = (recipe: string): string =>
  `${isUncompared(recipe)} || self.recipes.exists_one(other, !(${isUncompared('other')}) && ${sameRecipe(recipe, 'other')})`;

/** Rules of the place at a path. Each that reads a field of no default asks first whether it is there. */
const RULES: Record<string, Rule[]> = {
  '': [
    {
      rule: `self.metadata.name.size() <= 63 && self.metadata.name.matches(${quoted(metadata.properties!.name!.pattern!)})`,
      messageExpression: filled(
        `metadata.name: %s is not a name (${expectation(metadata.properties!.name!)})`,
        'self.metadata.name',
      ),
    },
  ],
  'spec.pruneRatios': [
    // The server compares 0 and 0.0 by their types, and finds them different.
    {
      rule: 'self.filter(ratio, ratio == 0.0).size() <= 1',
      messageExpression: quoted('0 stands there twice; leave one out'),
    },
  ],
  // Of dataset and training too: the server checks a default by the rules of its own place before it is filled in.
  spec: [
    {
      rule: '!has(self.dataset.name) || !has(self.dataset.idx)',
      messageExpression: filled('both name (%s) and idx are given; leave one out', 'self.dataset.name'),
      fieldPath: '.dataset',
    },
    {
      rule: '!has(self.dataset.sha256) || has(self.dataset.idx)',
      messageExpression: filled('%s: only idx files are checked by digest; leave it out', 'self.dataset.sha256'),
      fieldPath: '.dataset.sha256',
    },
    {
      rule: `has(self.dataset.idx) || self.dataset.validation < ${MNIST.trainImages}`,
      messageExpression: filled(
        `%s of ${MNIST.trainImages} training images leaves none to train on; hold back fewer`,
        'self.dataset.validation',
      ),
      fieldPath: '.dataset.validation',
    },
    {
      rule: "self.training.optimizer != 'adam' || self.training.momentum == 0.0",
      messageExpression: filled(
        '%s has no meaning with adam; take it away or set optimizer: sgd',
        'self.training.momentum',
      ),
      fieldPath: '.training.momentum',
    },
    {
      rule: 'self.pruneRatios.size() + self.remainingWeights.size() > 0',
      messageExpression: quoted('missing, and remainingWeights too; for example `pruneRatios: [0, 0.9, 0.99]`'),
      fieldPath: '.pruneRatios',
    },
    {
      rule: `self.recipes.all(recipe, ${isOnce('recipe')})`,
      messageExpression: filled(
        '%s stands there twice, with the same l1 and l2; leave one out',
        `self.recipes.filter(recipe, !(${isOnce('recipe')})).map(recipe, [recipe.criterion, recipe.scope, recipe.recovery, recipe.schedule])[0]`,
      ),
      fieldPath: '.recipes',
    },
    {
      rule: `has(self.dataset.idx) || !self.hiddenWidths.exists(w, ${tooLarge})`,
      messageExpression: filled(
        `%s is too large, at most ${thousands(MOST_WEIGHTS)} weights fit a worker's memory; take smaller widths`,
        `self.hiddenWidths.filter(w, ${tooLarge})[0]`,
      ),
      fieldPath: '.hiddenWidths',
    },
    {
      rule: `${ofNetworks('pruneRatios')} || (1.0 - self.pruneRatios.max()) * ${smallest} >= 0.5`,
      messageExpression: filled(
        '%s leaves no weight of the smallest network (%s weights); take %s or less',
        ...['self.pruneRatios.max()', `int(${smallest})`, `1.0 - 1.0 / ${smallest}`],
      ),
      fieldPath: '.pruneRatios',
    },
    {
      rule: `${ofNetworks('remainingWeights')} || double(self.remainingWeights.max()) <= ${smallest}`,
      messageExpression: filled(
        '%s is more than the smallest network has; take at most %s, or leave the network out',
        ...['self.remainingWeights.max()', `int(${smallest})`],
      ),
      fieldPath: '.remainingWeights',
    },
  ],
};

/**
 * Lists that have each item once. The server tells by itself, in a time that CEL would not be given. Not the networks:
 * a set of lists is a definition that it takes, and that server-side apply then cannot work with.
 */
const SETS = ['spec.pruneRatios', 'spec.remainingWeights'];
const KEYS: Record<string, string[]> = { 'status.conditions': ['type'] };

/** The schema as Kubernetes has it: structural. */
function structural(schema: Schema, path: string): object {
  const rules = RULES[path];
  return {
    description: schema.description,
    ...(schema.oneOfTypes === undefined ? typed(schema, path) : twoTypes(schema, path)),
    ...(schema.default === undefined ? {} : { default: schema.default }),
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules }),
  };
}

function typed(schema: Schema, path: string): object {
  const { type, required, open, properties, items } = schema;
  const fields = Object.entries(properties ?? {}).map(([name, field]): [string, object] => [
    name,
    structural(field, path === '' ? name : `${path}.${name}`),
  ]);
  return {
    type,
    ...bounds(schema),
    ...(type === 'array' ? listType(path) : {}),
    ...(open === true ? { 'x-kubernetes-preserve-unknown-fields': true } : {}),
    ...(required === undefined ? {} : { required }),
    ...(properties === undefined ? {} : { properties: Object.fromEntries(fields) }),
    ...(items === undefined ? {} : { items: structural(items, `${path}[]`) }),
  };
}

function listType(path: string): object {
  const keys = KEYS[path];
  if (keys !== undefined) return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
  return { 'x-kubernetes-list-type': SETS.includes(path) ? 'set' : 'atomic' };
}

/** Bounds as OpenAPI 3.0 has them, which says of a bound whether it is excluded. */
function bounds(schema: Schema): object {
  const { minItems, maxItems, minLength, maxLength, pattern, format, enum: words } = schema;
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
  const all = {
    ...{ minItems, maxItems, minLength, maxLength, pattern, format, enum: words },
    ...{ minimum: minimum ?? exclusiveMinimum, maximum: maximum ?? exclusiveMaximum },
    ...(exclusiveMinimum === undefined ? {} : { exclusiveMinimum: true }),
    ...(exclusiveMaximum === undefined ? {} : { exclusiveMaximum: true }),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A structural schema has one type a field, and two ways around it. */
function twoTypes(schema: Schema, path: string): object {
  const [scalar, other] = schema.oneOfTypes as [Schema, Schema];
  const expected = expectation(schema);
  if (other.type === 'string') {
    const words = `[${other.enum!.map((word) => quoted(String(word))).join(', ')}]`;
    return {
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      'x-kubernetes-validations': [
        {
          rule: `type(self) == int ? self >= ${scalar.minimum} && self <= ${scalar.maximum} : self in ${words}`,
          messageExpression: filled(`%s is not ${withArticle(schema.title)} (${expected})`, 'self'),
        },
      ],
    };
  }
  // Without a type, each bound holds for the values of its kind alone: those of numbers, then those of lists. The other
  // kinds meet a bound that no value of theirs can keep, and that says in the server's error what is expected.
  return {
    'x-kubernetes-preserve-unknown-fields': true,
    ...bounds(scalar),
    multipleOf: 1,
    ...bounds(other),
    items: structural(other.items!, `${path}[]`),
    pattern: `$${expected}`,
    required: [expected],
    not: { enum: [true, false] },
  };
}

/** The CustomResourceDefinition of PruneSweep. */
export function resourceDefinition(): object {
  const column = (name: string, type: string, jsonPath: string, description: string, rest: object = {}) => ({
    ...{ name, type, jsonPath, description },
    ...rest,
  });
  const wide = { priority: 1 };
  const root = structural({ ...SWEEP_SCHEMA, properties: {} }, '') as Record<string, unknown>;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'prunesweeps.prunesweep.dev' },
    spec: {
      group: 'prunesweep.dev',
      names: {
        kind: 'PruneSweep',
        listKind: 'PruneSweepList',
        plural: 'prunesweeps',
        singular: 'prunesweep',
        shortNames: ['psw'],
        categories: ['prunesweep'],
      },
      scope: 'Namespaced',
      preserveUnknownFields: false,
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          additionalPrinterColumns: [
            column('Trials', 'integer', '.status.trials.total', 'Points of the grid.'),
            column('Recorded', 'integer', '.status.trials.recorded', 'Trials that have their record.'),
            column('Failed', 'integer', '.status.trials.failed', 'Trials that were given up.'),
            column('Running', 'integer', '.status.trials.running', 'Trials of the lineages that pods work on.'),
            column('State', 'string', '.status.state', 'The conditions in one word.'),
            column('Networks', 'integer', '.status.networks', 'Entries of hiddenWidths.', wide),
            column('Best', 'string', '.status.best', 'Best mean accuracy at the smallest count that has one.', wide),
            column('Time-Left', 'string', '.status.timeLeft', 'Estimated.', wide),
            column('Job', 'string', '.status.job', 'The Job that carries the sweep.', wide),
            column('Age', 'date', '.metadata.creationTimestamp', 'Since it was made.'),
          ],
          schema: {
            openAPIV3Schema: {
              ...root,
              // The server has its own rules for the three fields that every object has.
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string', description: SWEEP_SCHEMA.properties!.apiVersion!.description },
                kind: { type: 'string', description: SWEEP_SCHEMA.properties!.kind!.description },
                metadata: { type: 'object' },
                spec: structural(spec, 'spec'),
                status: structural(STATUS_SCHEMA, 'status'),
              },
            },
          },
          subresources: {
            status: {},
            scale: { specReplicasPath: '.spec.parallelism', statusReplicasPath: '.status.packs.active' },
          },
        },
      ],
    },
  };
}

/**
 * The rules that the definition cannot hold: its CEL does not see the seeds, a field of two types, and is not given a rule
 * that could take long, though it never does. An admission policy sees all and is stopped only when it takes long. It is asked of new sweeps and changed specs alone, so that a sweep from before it can still be deleted.
 */
export function gridPolicy(): object[] {
  const name = 'prunesweep-grid';
  const product = [
    ['networks', 'object.spec.hiddenWidths.size()'],
    ['targets', '(object.spec.pruneRatios.size() + object.spec.remainingWeights.size())'],
    ['recipes', 'object.spec.recipes.size()'],
    ['seeds', '(type(dyn(object.spec).seeds) == list ? dyn(object.spec).seeds.size() : int(dyn(object.spec).seeds))'],
  ] as const;
  const distinct = (field: string) => {
    // The server warns of fields that it has no type for, unless none is looked for.
    const list = `dyn(object.spec).${field}`;
    const isTwice = `${list}.indexOf(item) != ${list}.lastIndexOf(item)`;
    const twice = `${list}.filter(item, ${isTwice})[0]`;
    return {
      expression: `type(${list}) != list || ${list}.size() > ${MOST_COMPARED} || !${list}.exists(item, ${isTwice})`,
      messageExpression: filled(
        `spec.${field}[%s]: %s stands at [%s] already; leave one out`,
        ...[`${list}.lastIndexOf(${twice})`, twice, `${list}.indexOf(${twice})`],
      ),
      reason: 'Invalid',
    };
  };
  return [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['prunesweep.dev'],
              apiVersions: ['v1alpha1'],
              resources: ['prunesweeps'],
              operations: ['CREATE', 'UPDATE'],
            },
          ],
        },
        matchConditions: [{ name: 'new-or-changed', expression: 'oldObject == null || object.spec != oldObject.spec' }],
        variables: [{ name: 'trials', expression: product.map(([, size]) => size).join(' * ') }],
        validations: [
          distinct('hiddenWidths'),
          distinct('seeds'),
          {
            expression: `variables.trials <= ${MOST_TRIALS}`,
            messageExpression: filled(
              `spec: ${product.map(([word]) => `%s ${word}`).join(' x ')} are %s trials, a sweep has at most ${thousands(MOST_TRIALS)}; split it`,
              ...[...product.map(([, size]) => size), 'variables.trials'],
            ),
            reason: 'Invalid',
          },
        ],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];
}
