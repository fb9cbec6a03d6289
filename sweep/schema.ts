/**
 * What a sweep file may say: one JSON Schema, in the part of the language that a Kubernetes structural schema has too,
 * or has another word for (`oneOfTypes`, `open`).
 * The validator, the command line's list of fields and the resource definition all come from here.
 */
import { GPU_PRICE } from './packs';
import { CRITERIA } from './spec';

/** A JSON Schema node as it is used here. `title` says in an error message what the value should have been. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  title: string;
  description: string;
  properties?: Record<string, Schema>;
  required?: string[];
  /** Objects refuse unknown fields unless this is true. */
  open?: true;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: 'date-time';
  enum?: (string | number)[];
  default?: unknown;
  /** Two forms, the second for values of its type, the first for all others. */
  oneOfTypes?: [Schema, Schema];
  /** What a message says the field takes, where the bounds do not say it best. */
  expects?: string;
  /** An example for the message that the field is missing. */
  example?: string;
}

const integer = (
  title: string,
  description: string,
  minimum: number,
  maximum: number,
  rest: Partial<Schema> = {},
): Schema => ({
  ...{ type: 'integer', title, description, minimum, maximum },
  ...rest,
});
const path = (description: string): Schema => ({
  type: 'string',
  title: 'path',
  description,
  minLength: 1,
  maxLength: 4096,
  expects: 'a text of 1 to 4096 characters',
});
const choice = (title: string, description: string, values: string[], byDefault?: string): Schema => ({
  ...{ type: 'string', title, description, enum: values },
  ...(byDefault === undefined ? {} : { default: byDefault }),
});
const penalty = (norm: string, gradient: string): Schema => ({
  ...{ type: 'number', title: `${norm} penalty`, minimum: 0, maximum: 1 },
  description: `${norm} penalty on the weights, not on the biases: adds ${gradient} to each weight's gradient.`,
});
const layers = (title: string, description: string): Schema => ({
  ...{ type: 'array', title, description, minItems: 1, maxItems: 17 },
  items: {
    ...{
      type: 'string',
      title: 'layer',
      description: 'fc1 for the first.',
      pattern: '^fc([1-9]|1[0-7])$',
      maxLength: 4,
    },
    expects: 'fc1, fc2 and so on',
  },
});
const free = (title: string, description: string): Schema => ({ type: 'object', title, description, open: true });

const LARGEST_SEED = 2 ** 32 - 1;
const seed = integer(
  'seed',
  'Seed of the initial weights, the order of the images and random pruning.',
  0,
  LARGEST_SEED,
);

const dataset: Schema = {
  type: 'object',
  title: 'data set',
  description: 'The images: `name`, or `idx` for your own.',
  default: {},
  properties: {
    name: choice(
      'data set name',
      'A data set that ships with the package: mnist, 60,000 + 10,000 images of 28 x 28 pixels.',
      ['mnist'],
    ),
    idx: {
      type: 'object',
      title: 'set of IDX files',
      description:
        'Your own images: four IDX files (the format of MNIST), plain or gzipped, any image size up to 65,536 pixels, 2 to 256 classes. Relative paths are relative to the sweep file.',
      required: ['trainImages', 'trainLabels', 'testImages', 'testLabels'],
      properties: {
        trainImages: path('Training images, unsigned bytes [images, rows, columns].'),
        trainLabels: path('Training labels, unsigned bytes [images], classes counted from 0.'),
        testImages: path('Test images.'),
        testLabels: path('Test labels.'),
      },
    },
    sha256: {
      ...{ type: 'string', title: 'SHA-256', pattern: '^[0-9a-f]{64}$', expects: '64 lower-case hexadecimal digits' },
      description:
        'Digest of the decoded IDX files; filled in when a sweep is accepted, so that running it again is refused when they have changed.',
    },
    validation: integer(
      'number of validation images',
      'Training images that are held back, the last ones of the file; the article held back none.',
      0,
      2 ** 31,
      { default: 0 },
    ),
  },
};

const recipe: Schema = {
  type: 'object',
  title: 'recipe',
  description: 'How pruning is done.',
  properties: {
    criterion: choice(
      'criterion',
      `Which weights go first: ${Object.entries(CRITERIA)
        .map(([name, which]) => `${name}: ${which}`)
        .join('; ')}.`,
      Object.keys(CRITERIA),
      'magnitude',
    ),
    scope: choice(
      'scope',
      'global: all layers are compared as they are, with one threshold. layer: each by its own measure; with magnitude a threshold of quality x standard deviation of the layer, one quality for all layers (Han et al. 2015); with random the same share of each layer.',
      ['global', 'layer'],
      'global',
    ),
    recovery: choice(
      'recovery',
      'After pruning: masked retrains the survivors; none leaves them as they are; regrow lets the pruned weights train again from zero for half of the epochs, prunes back to the same count and retrains the survivors for the other half.',
      ['masked', 'regrow', 'none'],
      'masked',
    ),
    schedule: choice(
      'schedule',
      'iterative prunes to each target from the one before; oneshot prunes to each from the dense network.',
      ['iterative', 'oneshot'],
      'iterative',
    ),
    l1: {
      ...penalty('L1', 'l1 x sign(w)'),
      description: 'Replaces training.l1 for this recipe, its dense network included.',
    },
    l2: {
      ...penalty('L2', 'l2 x w'),
      description: 'Replaces training.l2 for this recipe, its dense network included.',
    },
    keepDense: layers(
      'list of layers',
      'Layers that are not pruned: [fc3] leaves the output layer of 300-100 whole, [fc2, fc3] prunes fc1 alone. Their weights count among those that are left. By default none.',
    ),
    linear: layers(
      'list of hidden layers',
      'Hidden layers without a ReLU, in the dense network of this recipe too: [fc2] for the second. By default none.',
    ),
    retraining: {
      type: 'object',
      title: 'retraining',
      description: 'Replaces what it names of retraining for this recipe.',
      properties: {
        epochs: integer('number of epochs', 'Replaces retraining.epochs.', 0, 10000),
        learningRateFactor: {
          ...{ type: 'number', title: 'learning rate factor', exclusiveMinimum: 0, maximum: 100 },
          description: 'Replaces retraining.learningRateFactor.',
        },
      },
    },
  },
};

const training: Schema = {
  type: 'object',
  title: 'training',
  description: 'How a dense network is trained.',
  default: {},
  properties: {
    epochs: integer('number of epochs', 'Passes over the training images.', 1, 10000, { default: 20 }),
    batchSize: integer('batch size', 'Images a step.', 1, 65536, { default: 128 }),
    optimizer: choice('optimizer', 'adam (beta 0.9 and 0.999, epsilon 1e-8) or sgd.', ['adam', 'sgd'], 'adam'),
    learningRate: {
      type: 'number',
      title: 'learning rate',
      description: 'Step size.',
      exclusiveMinimum: 0,
      maximum: 10,
      default: 0.001,
    },
    momentum: {
      type: 'number',
      title: 'momentum',
      description: 'Momentum of sgd; 0 with adam.',
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0,
    },
    l1: { ...penalty('L1', 'l1 x sign(w)'), default: 0 },
    l2: { ...penalty('L2', 'l2 x w'), default: 0 },
  },
};

const retraining: Schema = {
  type: 'object',
  title: 'retraining',
  description: 'How a pruned network is retrained: as in training, from a fresh optimizer, but for these.',
  default: {},
  properties: {
    epochs: integer('number of epochs', 'Passes over the training images for each target.', 0, 10000, { default: 4 }),
    learningRateFactor: {
      ...{ type: 'number', title: 'learning rate factor', exclusiveMinimum: 0, maximum: 100, default: 0.5 },
      description:
        'Times training.learningRate. Han et al. retrain LeNet at a tenth; with Adam and four epochs a half is better: 300-100 at 10 % of its weights ends 0.1 points above its dense network, at a tenth 0.35 below.',
    },
  },
};

const template: Schema = {
  type: 'object',
  title: 'pod template',
  description: 'What the pods of a cluster are given; a run on one machine ignores it.',
  default: {},
  properties: {
    accelerator: choice(
      'accelerator',
      'gpu pods get a GPU, and train several networks of one shape together with the tfjs engine; cpu pods, the default, one core each, with the wasm engine. A gpu pod that gets no GPU that works fails at once (exit 65), and says why.',
      ['gpu', 'cpu'],
    ),
    retrainOn: choice(
      'kind of pods',
      'With accelerator: gpu, on which pods networks are pruned and retrained. By default on the same gpu pods. cpu: gpu pods train the dense networks alone, and when all are trained cpu pods prune them, from checkpoints that wait in NATS (5 bytes a weight). `plan` says what costs less. resources, nodeSelector and tolerations are those of gpu pods; cpu pods get a core each, on any node.',
      ['cpu'],
    ),
    gpuResource: {
      ...{ type: 'string', title: 'name of an extended resource', maxLength: 317 },
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$',
      expects: 'a domain, a slash and a name, as in nvidia.com/gpu',
      description:
        "What a gpu pod asks for one of: nvidia.com/gpu by default; nvidia.com/mig-1g.10gb and the like for a part (MIG), nvidia.com/gpu.shared where GPUs are shared by turns (time-slicing) under the device plugin's other name.",
    },
    gpuMemory: integer(
      'number of gibibytes',
      'Memory of what gpuResource gives, for `lineagesPerPack: auto`; by default what its name says (10 for mig-1g.10gb), or 16. Of a GPU that is shared by turns give a share.',
      1,
      1024,
    ),
    gpuPrice: {
      ...{ type: 'number', title: 'price', exclusiveMinimum: 0, maximum: 1_000_000 },
      description: `What an hour of what gpuResource gives costs, in hours of a core, for \`plan\`, which says what is cheaper where; ${GPU_PRICE} by default: clouds list an H100 at 2 to 5 dollars and a core at some 0.05. It is yours to set.`,
    },
    allowCpu: {
      type: 'boolean',
      title: 'switch',
      description:
        'true: a gpu pod that gets no GPU that works trains on its processor with the wasm engine, one network after another, and says so. false, the default: it fails.',
    },
    queueName: {
      type: 'string',
      title: 'queue name',
      description: 'The Kueue queue that admits the sweep.',
      minLength: 1,
      maxLength: 63,
      expects: 'a text of 1 to 63 characters',
    },
    resources: free(
      'resource requirements',
      'Requests and limits, as in a pod. By default one core, the memory that the largest network takes (323Mi for 300-100; with a GPU what its pack takes, see `prunesweep plan`), and twice of it as limit.',
    ),
    nodeSelector: free('node selector', 'Labels of the nodes to run on, as in a pod.'),
    tolerations: {
      type: 'array',
      title: 'list of tolerations',
      description: 'As in a pod.',
      maxItems: 100,
      items: free('toleration', 'As in a pod.'),
    },
  },
};

const spec: Schema = {
  type: 'object',
  title: 'sweep specification',
  description: 'The grid, and how to run it.',
  required: ['hiddenWidths'],
  example: 'spec: {hiddenWidths: [[300, 100]], pruneRatios: [0, 0.9, 0.99]}',
  properties: {
    dataset,
    hiddenWidths: {
      ...{
        type: 'array',
        title: 'list of networks',
        minItems: 1,
        maxItems: 10000,
        example: 'hiddenWidths: [[300, 100]]',
      },
      description:
        'The networks, each as the sizes of its hidden layers: [300, 100] is the fully connected ReLU network 300-100.',
      items: {
        ...{ type: 'array', title: 'list of layer widths', minItems: 1, maxItems: 16 },
        description: 'One network.',
        items: integer('layer width', 'Units of one hidden layer.', 1, 65536),
      },
    },
    pruneRatios: {
      ...{ type: 'array', title: 'list of prune ratios', maxItems: 10000, default: [] },
      description: 'Fractions of the weights to remove; round((1 - ratio) x weights) are left. 0 is the dense network.',
      items: {
        type: 'number',
        title: 'prune ratio',
        description: 'Fraction removed.',
        minimum: 0,
        exclusiveMaximum: 1,
      },
    },
    remainingWeights: {
      ...{ type: 'array', title: 'list of remaining weights', maxItems: 10000, default: [] },
      description:
        'Counts of weights to leave, beside or instead of ratios; every network of the sweep must have as many.',
      items: integer('number of remaining weights', 'Weights left over all layers.', 1, 2 ** 31),
    },
    seeds: {
      title: 'number of seeds or list of seeds',
      description: 'How many replicates (seeds 1 to n), or which seeds.',
      default: 1,
      oneOfTypes: [
        integer('number of seeds', 'Replicates.', 1, 1_000_000),
        { type: 'array', title: 'list of seeds', description: 'Which.', minItems: 1, maxItems: 1_000_000, items: seed },
      ],
    },
    recipes: {
      // A cluster's API server compares each with each, and gives a rule a tenth of a second: it could not take 200.
      ...{ type: 'array', title: 'list of recipes', minItems: 1, maxItems: 100, default: [{}], items: recipe },
      description: 'The ways of pruning that are compared.',
    },
    training,
    retraining,
    parallelism: integer(
      'degree of parallelism',
      'Pods at once; worker threads on one machine, where there are no more than cores.',
      1,
      100_000,
      { default: 8 },
    ),
    lineagesPerPack: {
      title: 'number of lineages or auto',
      description: 'Dense networks, with all that is pruned from them, that one pod works on.',
      default: 'auto',
      oneOfTypes: [
        integer('number of lineages', 'Lineages.', 1, 100_000),
        choice('word', 'One; in a gpu pod as many of one shape as its memory holds and make it faster.', ['auto']),
      ],
    },
    maxFailedTrials: integer('number of trials', 'How many trials may fail before the sweep stops.', 0, 1_000_000, {
      default: 0,
    }),
    suspend: {
      type: 'boolean',
      title: 'switch',
      description: 'true: start no pods, and end those that run; a run on one machine ignores it.',
      default: false,
    },
    recordRetention: choice(
      'record retention',
      "What becomes of the sweep's table when the object is deleted in a cluster. Retain: the aggregator goes on serving it. Delete: it is withdrawn. Records are never deleted from the ledger, since other sweeps share them by content. A run on one machine ignores it.",
      ['Retain', 'Delete'],
      'Retain',
    ),
    template,
  },
};

export const SWEEP_SCHEMA: Schema = {
  type: 'object',
  title: 'sweep',
  description: 'A grid of pruning experiments.',
  required: ['apiVersion', 'kind', 'metadata', 'spec'],
  properties: {
    apiVersion: {
      ...choice('API version', 'Version of this format.', ['prunesweep.dev/v1alpha1']),
      example: 'apiVersion: prunesweep.dev/v1alpha1',
    },
    kind: { ...choice('kind', 'Always PruneSweep.', ['PruneSweep']), example: 'kind: PruneSweep' },
    metadata: {
      type: 'object',
      title: 'metadata',
      description: 'As in any Kubernetes object; a run on one machine uses the name alone.',
      required: ['name'],
      example: 'metadata: {name: my-sweep}',
      open: true,
      properties: {
        name: {
          ...{
            type: 'string',
            title: 'name',
            minLength: 1,
            maxLength: 63,
            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
            example: 'name: my-sweep',
          },
          description: 'Lower-case letters, digits and hyphens.',
          expects: 'lower-case letters, digits and hyphens, at most 63, first and last no hyphen',
        },
      },
    },
    spec,
  },
};
