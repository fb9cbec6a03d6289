import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { acceptSweep, sweepYaml } from '../../sweep/accept';
import { SpecError } from '../../sweep/errors';
import { readSweep } from '../../sweep/read';
import { document, MNIST, sweepOf } from '../fixtures';

/** The problems of a document. */
function problems(candidate: unknown, shape: typeof MNIST | null = MNIST): string[] {
  try {
    acceptSweep(candidate, shape ?? undefined);
    return [];
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.problems;
  }
}

const of = (spec: object) => problems(document(spec));

describe('an accepted sweep', () => {
  it('has every default', () => {
    expect(sweepOf({}).spec).toEqual({
      dataset: { name: 'mnist', validation: 0 },
      hiddenWidths: [[300, 100]],
      pruneRatios: [0, 0.9, 0.99],
      remainingWeights: [],
      seeds: [1],
      recipes: [{ criterion: 'magnitude', scope: 'global', recovery: 'masked', schedule: 'iterative' }],
      training: { epochs: 20, batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
      retraining: { epochs: 4, learningRateFactor: 0.5 },
      parallelism: 8,
      lineagesPerPack: 'auto',
      maxFailedTrials: 0,
      suspend: false,
      recordRetention: 'Retain',
      template: {},
    });
  });

  it('takes a number of seeds or a list', () => {
    expect(sweepOf({ seeds: 3 }).spec.seeds).toEqual([1, 2, 3]);
    expect(sweepOf({ seeds: [0, 4294967295] }).spec.seeds).toEqual([0, 4294967295]);
  });

  it('is written so that it is accepted again as it is', () => {
    const part = fc.record(
      {
        hiddenWidths: fc.uniqueArray(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 3,
          selector: String,
        }),
        seeds: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 4 })),
        training: fc.record(
          {
            l1: fc.double({ min: 0, max: 1, noNaN: true }),
            learningRate: fc.double({ min: 1e-9, max: 10, noNaN: true }),
          },
          { requiredKeys: [] },
        ),
        recipes: fc.constantFrom([{}], [{ l2: 0.1, scope: 'layer' }, { recovery: 'none' }]),
        template: fc.constantFrom({}, { accelerator: 'gpu', nodeSelector: { a: 'b' }, tolerations: [{ key: 'x' }] }),
        lineagesPerPack: fc.constantFrom('auto', 3),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(part, (spec) => {
        const sweep = sweepOf(spec);
        const text = sweepYaml(sweep);
        const again = acceptSweep(parse(text), MNIST);
        expect(again).toEqual(sweep);
        expect(sweepYaml(again)).toBe(text);
      }),
    );
  });

  it('is written with its lists of numbers on a line each', () => {
    const seeds = Array.from({ length: 101 }, (_, index) => index + 1);
    expect(sweepYaml(sweepOf({ seeds: 3, remainingWeights: [2657], recipes: [{ l2: 1e-7 }] }))).toMatchInlineSnapshot(`
      "apiVersion: prunesweep.dev/v1alpha1
      kind: PruneSweep
      metadata:
        name: test
      spec:
        dataset:
          name: mnist
          validation: 0
        hiddenWidths:
          - [300, 100]
        pruneRatios: [0, 0.9, 0.99]
        remainingWeights: [2657]
        seeds: [1, 2, 3]
        recipes:
          - criterion: magnitude
            scope: global
            recovery: masked
            schedule: iterative
            l2: 1e-7
        training:
          epochs: 20
          batchSize: 128
          optimizer: adam
          learningRate: 0.001
          momentum: 0
          l1: 0
          l2: 0
        retraining:
          epochs: 4
          learningRateFactor: 0.5
        parallelism: 8
        lineagesPerPack: auto
        maxFailedTrials: 0
        suspend: false
        recordRetention: Retain
        template: {}
      "
    `);
    // A long run of seeds is written as its length.
    expect(sweepYaml(sweepOf({ seeds: 101 }))).toContain('\n  seeds: 101\n');
    expect(sweepYaml(sweepOf({ seeds: [...seeds.slice(1), 1] }))).toContain('\n  seeds: [2, 3, ');
    expect(acceptSweep(parse(sweepYaml(sweepOf({ seeds: 101 }))), MNIST).spec.seeds).toEqual(seeds);
  });

  it('is written as the same text whether values were shared, -0 or in another order', () => {
    const { document: shared } = readSweep(`
      metadata: {name: test}
      spec:
        training: {l1: -0.0}
        template: {nodeSelector: &a {x: y}, resources: *a}
        pruneRatios: [-0.0]
        hiddenWidths: [[300, 100]]
      kind: PruneSweep
      apiVersion: prunesweep.dev/v1alpha1`);
    const plain = document({ pruneRatios: [0], template: { resources: { x: 'y' }, nodeSelector: { x: 'y' } } });
    expect(sweepYaml(acceptSweep(shared, MNIST))).toBe(sweepYaml(acceptSweep(plain, MNIST)));
  });

  it('can be read again, or is refused for its length', () => {
    const spec = (count: number) => ({
      hiddenWidths: Array.from({ length: count }, (_, index) => [index + 1]),
    });
    const text = sweepYaml(sweepOf(spec(4000)));
    expect(acceptSweep(readSweep(text).document, MNIST)).toEqual(sweepOf(spec(4000)));
    expect(of(spec(9000))).toEqual([
      expect.stringMatching(/^the sweep with its defaults has [\d,]+ characters, a sweep file at most 65,536; split/),
    ]);
  });

  it('leaves the document as it was', () => {
    const candidate = document({ recipes: [{}] });
    const before = structuredClone(candidate);
    acceptSweep(candidate, MNIST);
    expect(candidate).toEqual(before);
  });

  it('of IDX files has their digest, and is refused when they have changed', () => {
    const idx = { trainImages: '/a', trainLabels: '/b', testImages: '/c', testLabels: '/d' };
    const shape = { ...MNIST, identity: `sha256:${'ab'.repeat(32)}` };
    const sweep = acceptSweep(document({ dataset: { idx } }), shape);
    expect(sweep.spec.dataset).toEqual({ idx, sha256: 'ab'.repeat(32), validation: 0 });
    const changed = problems(sweep, { ...shape, identity: `sha256:${'cd'.repeat(32)}` });
    expect(changed).toHaveLength(1);
    expect(changed[0]).toMatch(/^spec\.dataset\.sha256: abab.*but the files have cdcd/);
  });
});

describe('a wrong sweep', () => {
  const cases: [string, object, string][] = [
    [
      'a width of 0',
      { hiddenWidths: [[300, 100], [4], [9, 0]] },
      'spec.hiddenWidths[2][1]: 0 is not a layer width (an integer from 1 to 65536)',
    ],
    [
      'a width of a billion',
      { hiddenWidths: [[1e9]] },
      'spec.hiddenWidths[0][0]: 1000000000 is not a layer width (an integer from 1 to 65536)',
    ],
    [
      'a fractional width',
      { hiddenWidths: [[2.5]] },
      'spec.hiddenWidths[0][0]: 2.5 is not a layer width (an integer from 1 to 65536)',
    ],
    ['a ratio of 1', { pruneRatios: [1] }, 'spec.pruneRatios[0]: 1 is not a prune ratio (a number from 0 to below 1)'],
    [
      'a ratio that is not a number',
      { pruneRatios: [Number.NaN] },
      'spec.pruneRatios[0]: NaN is not a prune ratio (a number from 0 to below 1)',
    ],
    [
      'an infinite rate',
      { training: { learningRate: Number.POSITIVE_INFINITY } },
      'spec.training.learningRate: Infinity is not a learning rate (a number above 0 to 10)',
    ],
    [
      'a text for a number',
      { pruneRatios: ['0.5'] },
      'spec.pruneRatios[0]: "0.5" is not a prune ratio (a number from 0 to below 1)',
    ],
    [
      'an unknown criterion',
      { recipes: [{ criterion: 'size' }] },
      'spec.recipes[0].criterion: "size" is not a criterion (magnitude or random)',
    ],
    ['a misspelt field', { retrainig: {} }, 'spec.retrainig: unknown field; did you mean spec.retraining?'],
    [
      'a misspelt field of a recipe',
      { recipes: [{ recovry: 'none' }] },
      'spec.recipes[0].recovry: unknown field; did you mean spec.recipes[0].recovery?',
    ],
    [
      'a field in the wrong place',
      { validation: 3 },
      'spec.validation: unknown field here; did you mean spec.dataset.validation?',
    ],
    [
      'a field that resembles none',
      { retraining: { colour: 1 } },
      'spec.retraining.colour: unknown field; the fields here are epochs and learningRateFactor',
    ],
    [
      'no targets',
      { pruneRatios: [] },
      'spec.pruneRatios: missing, and remainingWeights too; for example `pruneRatios: [0, 0.9, 0.99]`',
    ],
    [
      'momentum with adam',
      { training: { momentum: 0.9 } },
      'spec.training.momentum: 0.9 has no meaning with adam; take it away or set optimizer: sgd',
    ],
    [
      'a target that a network cannot have',
      { hiddenWidths: [[3], [300]], remainingWeights: [5000] },
      'spec.remainingWeights[0]: 5000 is more than 3 (2,382 weights) has; take at most 2382, or leave the network out',
    ],
    [
      'a ratio that leaves nothing',
      { hiddenWidths: [[1]], pruneRatios: [0.9999] },
      'spec.pruneRatios[0]: 0.9999 leaves no weight of 1 (794 weights); take 0.9987405541561712 or less',
    ],
    [
      'a network twice',
      { hiddenWidths: [[5], [4], [5]] },
      'spec.hiddenWidths[2]: [5] stands at [0] already; leave one out',
    ],
    ['a seed twice', { seeds: [1, 2, 1] }, 'spec.seeds[2]: 1 stands at [0] already; leave one out'],
    [
      'a recipe twice, once in other words',
      { recipes: [{}, { l2: 0 }] },
      'spec.recipes[1]: the same as recipes[0]; leave one out',
    ],
    [
      'too much held back',
      { dataset: { validation: 60000 } },
      'spec.dataset.validation: 60000 of 60000 training images leaves none to train on; hold back fewer',
    ],
    [
      'a network that is too large',
      { hiddenWidths: [[65536, 65536]] },
      "spec.hiddenWidths[0]: 65536-65536 (4,347,002,880 weights) is too large, at most 134,217,728 fit a worker's memory; take smaller widths",
    ],
    [
      'a grid that is too large',
      { seeds: 1_000_000 },
      'spec: 1 networks x 3 targets x 1 recipes x 1,000,000 seeds are 3,000,000 trials, a sweep has at most 1,000,000; split it',
    ],
    [
      'a name and files',
      { dataset: { name: 'mnist', idx: { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' } } },
      'spec.dataset: both name and idx are given; leave one out',
    ],
    [
      'a seed that is a word',
      { seeds: 'five' },
      'spec.seeds: "five" is not a number of seeds or list of seeds (an integer from 1 to 1000000, or a list of 1 to 1000000, each an integer from 0 to 4294967295)',
    ],
    [
      'a seed of a list that is too large',
      { seeds: [1, 4294967296] },
      'spec.seeds[1]: 4294967296 is not a seed (an integer from 0 to 4294967295)',
    ],
    [
      'a pack of another word than auto',
      { lineagesPerPack: 'all' },
      'spec.lineagesPerPack: "all" is not a number of lineages or auto (an integer from 1 to 100000, or auto)',
    ],
    [
      'a path for the four files',
      { dataset: { idx: '/path' } },
      'spec.dataset.idx: "/path" is not a set of IDX files (an object with trainImages, trainLabels, testImages and testLabels)',
    ],
    [
      'a digest that is none',
      { dataset: { sha256: 'AB' } },
      'spec.dataset.sha256: "AB" is not a SHA-256 (64 lower-case hexadecimal digits)',
    ],
    [
      'a digest without files',
      { dataset: { sha256: 'ab'.repeat(32) } },
      'spec.dataset.sha256: only idx files are checked by digest; leave it out',
    ],
    [
      'an empty section',
      { retraining: null },
      'spec.retraining: null is not a retraining (an object with epochs and learningRateFactor)',
    ],
    ['a swap of letters', { sedes: 3 }, 'spec.sedes: unknown field; did you mean spec.seeds?'],
    [
      'a short name that resembles none',
      { template: { gpu: 1 } },
      'spec.template.gpu: unknown field; the fields here are accelerator, retrainOn, gpuResource, gpuMemory, gpuPrice, allowCpu, queueName, resources, nodeSelector and tolerations',
    ],
    [
      'a field name that moves the cursor',
      { retraining: { '\u001b[2J\n': 1 } },
      'spec.retraining.?[2J?: unknown field; the fields here are epochs and learningRateFactor',
    ],
    [
      'files without labels',
      { dataset: { idx: { trainImages: 'a', testImages: 'c', testLabels: 'd' } } },
      'spec.dataset.idx.trainLabels: missing; add trainLabels',
    ],
  ];
  for (const [name, spec, message] of cases)
    it(`is refused with field, value and mend: ${name}`, () => {
      expect(of(spec)).toEqual([message]);
    });

  it('is refused with all its problems at once, structural or not', () => {
    const spec = {
      hiddenWidths: [[0], [3]],
      pruneRatios: [2, 0.5],
      remainingWeights: [9000],
      training: { momentum: 0.5, epochs: 0 },
      colour: 1,
      seeds: [1, 1],
    };
    expect(
      of(spec)
        .map((problem) => problem.split(':')[0])
        .sort(),
    ).toEqual(
      [
        'spec.colour',
        'spec.hiddenWidths[0][0]',
        'spec.pruneRatios[0]',
        'spec.remainingWeights[0]',
        'spec.seeds[1]',
        'spec.training.epochs',
        'spec.training.momentum',
      ].sort(),
    );
  });

  it('is told every item that stands twice', () => {
    const twice = of({ pruneRatios: [0, 0.5, 0, 0.5, 0], recipes: [{}, { scope: 'layer' }, { scope: 'layer' }, {}] });
    expect(twice).toEqual([
      'spec.pruneRatios[2]: 0 stands at [0] already; leave one out',
      'spec.pruneRatios[3]: 0.5 stands at [1] already; leave one out',
      'spec.pruneRatios[4]: 0 stands at [0] already; leave one out',
      'spec.recipes[2]: the same as recipes[1]; leave one out',
      'spec.recipes[3]: the same as recipes[0]; leave one out',
    ]);
  });

  it('with the same mistake a thousand times is told some of them, soon', () => {
    const many = Array.from({ length: 1000 }, (_, index) => index + 1);
    const structural = of({ pruneRatios: many });
    expect(structural).toHaveLength(51);
    expect(structural.at(-1)).toBe('and 950 more problems');
    const start = performance.now();
    const meaning = of({
      hiddenWidths: many.map((width) => [width]),
      pruneRatios: [],
      remainingWeights: many.map((n) => n + 1e7),
    });
    expect(performance.now() - start).toBeLessThan(2000); // a few milliseconds: a million pairs are not gone through
    expect(meaning).toHaveLength(31);
    expect(meaning.at(-1)).toBe('and more of the same kind');
  });

  it('without known data is checked as far as it can be', () => {
    const spec = { hiddenWidths: [[1]], pruneRatios: [0.9999], remainingWeights: [1e6], seeds: [1, 1] };
    expect(problems(document(spec), null)).toEqual(['spec.seeds[1]: 1 stands at [0] already; leave one out']);
  });

  it('of another kind is told what it should be', () => {
    expect(problems({ apiVersion: 'v1', kind: 'Pod' })).toEqual([
      'metadata: missing; for example `metadata: {name: my-sweep}`',
      'spec: missing; for example `spec: {hiddenWidths: [[300, 100]], pruneRatios: [0, 0.9, 0.99]}`',
      'apiVersion: "v1" is not an API version (prunesweep.dev/v1alpha1)',
      'kind: "Pod" is not a kind (PruneSweep)',
    ]);
    for (const nothing of [null, 3, 'text', []]) expect(problems(nothing)[0]).toMatch(/^the file: .* is not a sweep/);
  });

  it('never becomes anything but a SpecError', () => {
    const anything = fc.anything({
      maxDepth: 4,
      key: fc.constantFrom(
        'spec',
        'hiddenWidths',
        'seeds',
        'training',
        'recipes',
        'dataset',
        'pruneRatios',
        '__proto__',
        'x',
      ),
      withNullPrototype: false,
    });
    fc.assert(
      fc.property(anything, anything, (a, b) => {
        const plain = (value: unknown) => JSON.parse(JSON.stringify(value ?? null) ?? 'null') as unknown;
        expect(problems(plain(a)).length).toBeGreaterThan(0);
        problems(document(Object(plain(b)) as object));
      }),
      { numRuns: 300 },
    );
  });

  it('cannot reach the prototype of objects', () => {
    const { document: read } = readSweep('__proto__: {polluted: 1}\nspec: {__proto__: {epochs: 3}}');
    expect(problems(read).join('\n')).toMatch(/^__proto__: unknown field/m);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('YAML', () => {
  const yamlProblem = (text: string) => readSweep(text).problems[0];
  it('is refused with the line that is wrong', () => {
    expect(yamlProblem('a: 1\nb: [1, 2\nc: 3')).toMatch(/^line 3, column \d+: /);
    expect(yamlProblem('a: 1\na: 2')).toMatch(/^line 2, column 1: Map keys must be unique/);
    expect(yamlProblem('a: 1\n---\nb: 2')).toMatch(/give each sweep a file of its own/);
    expect(yamlProblem('a: !!js/function x')).toMatch(/Unresolved tag/);
  });

  it('of any size reads as numbers what it calls numbers', () => {
    expect(readSweep('[.nan, .inf, 1e309, 0x10, 1_000, yes]').document).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      16,
      '1_000',
      'yes',
    ]);
  });
});
