import { readdirSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONDITIONS, STATES, type SweepStatus } from '../../controller/kubernetes/resource';
import { acceptSweep } from '../../sweep/accept';
import { UNKNOWN_TO_CEL } from '../../sweep/crd';
import { SpecError } from '../../sweep/errors';
import { type Schema, SWEEP_SCHEMA } from '../../sweep/schema';
import type { Sweep } from '../../sweep/spec';
import { checkStructure } from '../../sweep/structure';
import { document, MNIST } from '../fixtures';
import { ControlPlane, hasKubernetes, whyNoKubernetes } from '../servers/kubernetes';
import { documents } from '../sweep/documents';

const CRD = resolve(__dirname, '../../k8s/crd');
const SAMPLES = resolve(__dirname, '../../k8s/samples');
const PATH = '/apis/prunesweep.dev/v1alpha1/namespaces/default/prunesweeps';
const RUNS = Number(process.env.CRD_RUNS ?? 2000);

interface Answer {
  code: number;
  body: { message?: string; spec?: unknown; status?: unknown };
}

let plane: ControlPlane;
let ask: (method: string, path: string, text: string) => Promise<Answer>;

/** What the server says of a document; nothing is kept. Strict, as kubectl asks. */
const tryCreate = (text: string): Promise<Answer> => ask('POST', `${PATH}?dryRun=All&fieldValidation=Strict`, text);
const trySpec = (spec: object): Promise<Answer> => tryCreate(JSON.stringify(document(spec)));

/** What the server says against it; nothing when it takes it. */
async function refusal(text: string): Promise<string | undefined> {
  const { code, body } = await tryCreate(text);
  if (code === 201) return undefined;
  // Anything else is no verdict.
  if (code !== 422 && code !== 400) throw new Error(`${code}: ${JSON.stringify(body)}`);
  return body.message;
}

async function kubectl(args: readonly string[], stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await plane.kubectl(args, { stdin });
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${code}, ${stderr}`);
  return stdout;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((done) => setTimeout(done, 50));
}

function problems(candidate: unknown, shape: typeof MNIST | undefined): string[] {
  try {
    acceptSweep(candidate, shape);
    return [];
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.problems;
  }
}

const idx = { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' };
const seedsUpTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe.skipIf(!hasKubernetes)(`a cluster's PruneSweep${whyNoKubernetes}`, () => {
  beforeAll(async () => {
    plane = await ControlPlane.start({ controllers: false });
    const config = new KubeConfig();
    config.loadFromFile(plane.kubeconfig);
    const options: import('node:https').RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const agent = new Agent({ keepAlive: true, ca: options.ca as Buffer });
    ask = (method, path, text) =>
      new Promise((done, fail) => {
        const headers = { ...options.headers, 'content-type': 'application/json' };
        const sent = request(`${plane.url}${path}`, { ...options, method, headers, agent }, (answer) => {
          let body = '';
          answer.setEncoding('utf8').on('data', (data: string) => {
            body += data;
          });
          answer.once('end', () => done({ code: answer.statusCode!, body: JSON.parse(body) as Answer['body'] }));
          answer.once('error', fail);
        });
        sent.once('error', fail).end(text);
      });
    await kubectl(['apply', '-k', CRD]);
    await kubectl(['wait', '--for=condition=Established', 'crd/prunesweeps.prunesweep.dev']);
    await until(async () => (await trySpec({})).code === 201);
    // An admission policy is heard of a little after it is written.
    await until(async () => (await trySpec({ seeds: [1, 1] })).code !== 201);
  });
  afterAll(() => plane?.stop());

  it('is taken by kubectl apply for every sample, twice', async () => {
    for (const name of readdirSync(SAMPLES)) {
      expect(await kubectl(['apply', '-f', join(SAMPLES, name)])).toContain('created');
      // Applied again it is the same object: lists of objects are patched, and get their defaults as before.
      expect(await kubectl(['apply', '-f', join(SAMPLES, name)])).toMatch(/unchanged|configured/);
    }
    expect(await kubectl(['get', 'psw', '-o', 'jsonpath={.items[*].metadata.generation}'])).toMatch(/^1( 1)+$/);
    expect(await kubectl(['apply', '--server-side', '--force-conflicts', '-f', SAMPLES])).toContain('quickstart');
  });

  it('is explained by kubectl', async () => {
    let text = '';
    await until(async () => {
      const { code, stdout } = await plane.kubectl(['explain', 'psw.spec.recipes']);
      text = stdout;
      return code === 0;
    });
    const plain = (words: string) => words.replace(/\s+/g, ' ');
    const recipes = SWEEP_SCHEMA.properties!.spec!.properties!.recipes!;
    expect(plain(text)).toContain(plain(recipes.description));
    for (const [name, field] of Object.entries(recipes.items!.properties!)) {
      expect(text).toMatch(new RegExp(`^ +${name}\t`, 'm'));
      expect(plain(text)).toContain(plain(field.description));
    }
    expect(plain(await kubectl(['explain', 'psw.spec.seeds']))).toContain('How many replicates');
    expect(plain(await kubectl(['explain', 'psw.status.trials.recorded']))).toContain('record in the ledger');
  });

  it('has the defaults that the command line has', async () => {
    for (const spec of [{}, { dataset: {}, recipes: [{ l1: 0.1 }, {}], training: { epochs: 3 }, template: {} }]) {
      const { body } = await trySpec(spec);
      expect(body.spec).toEqual((checkStructure(document(spec)).copy as Sweep).spec);
    }
  });

  const digest = 'ab'.repeat(32);
  const refused: [name: string, spec: object, says: string][] = [
    [
      'a width of 0',
      { hiddenWidths: [[300, 100], [4], [9, 0]] },
      'spec.hiddenWidths[2][1]: Invalid value: 0: spec.hiddenWidths[2][1] in body should be greater than or equal to 1',
    ],
    ['a misspelt field', { retrainig: {} }, 'strict decoding error: unknown field "spec.retrainig"'],
    ['a misspelt field of a recipe', { recipes: [{ recovry: 'none' }] }, 'unknown field "spec.recipes[0].recovry"'],
    [
      'an unknown criterion',
      { recipes: [{ criterion: 'size' }] },
      'spec.recipes[0].criterion: Unsupported value: "size": supported values: "magnitude", "random"',
    ],
    ['no targets', { pruneRatios: [] }, 'missing, and remainingWeights too; for example `pruneRatios: [0, 0.9, 0.99]`'],
    [
      'momentum with adam',
      { training: { momentum: 0.9 } },
      'spec.training.momentum: Invalid value: "object": 0.9 has no meaning with adam; take it away or set optimizer: sgd',
    ],
    [
      'a network twice',
      { hiddenWidths: [[5], [4], [5]] },
      'denied request: spec.hiddenWidths[2]: [5] stands at [0] already; leave one out',
    ],
    ['a ratio twice', { pruneRatios: [0.5, 0, 0.5] }, 'spec.pruneRatios[2]: Duplicate value: 0.5'],
    ['a count twice', { remainingWeights: [5, 5] }, 'spec.remainingWeights[1]: Duplicate value: 5'],
    [
      'a recipe twice, once in other words',
      { recipes: [{}, { scope: 'layer' }, { l2: 0 }] },
      'spec.recipes: Invalid value: "object": ["magnitude", "global", "masked", "iterative"] stands there twice, with the same l1 and l2; leave one out',
    ],
    [
      'name and files',
      { dataset: { name: 'mnist', idx } },
      'spec.dataset: Invalid value: "object": both name (mnist) and idx are given; leave one out',
    ],
    [
      'a digest without files',
      { dataset: { sha256: digest } },
      `spec.dataset.sha256: Invalid value: "object": ${digest}: only idx files are checked by digest; leave it out`,
    ],
    [
      'too much held back',
      { dataset: { validation: 60000 } },
      'spec.dataset.validation: Invalid value: "object": 60000 of 60000 training images leaves none to train on; hold back fewer',
    ],
    [
      'a network that is too large',
      { hiddenWidths: [[5], [65536, 65536]] },
      `spec.hiddenWidths: Invalid value: "object": [65536, 65536] is too large, at most 134,217,728 weights fit a worker's memory; take smaller widths`,
    ],
    [
      'a ratio that leaves nothing',
      { hiddenWidths: [[1]], pruneRatios: [0.9999] },
      'spec.pruneRatios: Invalid value: "object": 0.9999 leaves no weight of the smallest network (794 weights); take 0.9987405541561712 or less',
    ],
    [
      'a target that a network cannot have',
      { hiddenWidths: [[3], [300]], remainingWeights: [5000] },
      'spec.remainingWeights: Invalid value: "object": 5000 is more than the smallest network has; take at most 2382, or leave the network out',
    ],
    [
      'a pack of another word than auto',
      { lineagesPerPack: 'all' },
      'spec.lineagesPerPack: Invalid value: "": all is not a number of lineages or auto (an integer from 1 to 100000, or auto)',
    ],
    ['a pack of none', { lineagesPerPack: 0 }, '0 is not a number of lineages or auto (an integer from 1 to 100000'],
    [
      'a word for seeds',
      { seeds: 'five' },
      `spec.seeds: Invalid value: "five": spec.seeds in body should match '$an integer from 1 to 1000000, or a list of 1 to 1000000, each an integer from 0 to 4294967295'`,
    ],
    [
      'an object for seeds',
      { seeds: { from: 1 } },
      'spec.seeds.an integer from 1 to 1000000, or a list of 1 to 1000000',
    ],
    ['a switch for seeds', { seeds: true }, '"spec.seeds" must not validate the schema (not)'],
    ['half a seed', { seeds: 2.5 }, 'spec.seeds: Invalid value: 2.5: spec.seeds in body should be a multiple of 1'],
    ['no seed', { seeds: 0 }, 'spec.seeds in body should be greater than or equal to 1'],
    ['an empty list of seeds', { seeds: [] }, 'spec.seeds in body should have at least 1 items'],
    [
      'a seed of a list that is too large',
      { seeds: [1, 4294967296] },
      'spec.seeds[1]: Invalid value: 4294967296: spec.seeds[1] in body should be less than or equal to 4294967295',
    ],
    [
      'a seed twice',
      { seeds: [7, 2, 7] },
      "ValidatingAdmissionPolicy 'prunesweep-grid' with binding 'prunesweep-grid' denied request: spec.seeds[2]: 7 stands at [0] already; leave one out",
    ],
    [
      'a grid that is too large',
      { seeds: 1_000_000 },
      'spec: 1 networks x 3 targets x 1 recipes x 1000000 seeds are 3000000 trials, a sweep has at most 1,000,000; split it',
    ],
  ];
  it.each(refused)('is refused with field, value and mend: %s', async (_, spec, says) => {
    expect(await refusal(JSON.stringify(document(spec)))).toContain(says);
    const candidate = document(spec);
    expect(problems(candidate, shapeFor(candidate))).not.toEqual([]);
  });

  it.each(['a.b', 'a'.repeat(64)])('is refused when its name would not do for its Job: %s', async (name) => {
    expect(await refusal(JSON.stringify(document({}, name)))).toContain(
      `metadata.name: ${name} is not a name (lower-case letters, digits and hyphens, at most 63, first and last no hyphen)`,
    );
  });

  const largest: Record<string, object> = {
    'a hundred recipes that differ in l2 alone': { recipes: seedsUpTo(100).map((n) => ({ l2: n / 1000 })) },
    '4,000 networks': { hiddenWidths: seedsUpTo(4000).map((n) => [n]) },
    '900 networks of 16 layers': { hiddenWidths: seedsUpTo(900).map((n) => [...Array(15).fill(10), n]) },
    '5,000 ratios and 3,000 counts': {
      pruneRatios: seedsUpTo(5000).map((n) => n / 10000),
      remainingWeights: seedsUpTo(3000),
    },
    'a list of 500 seeds': { seeds: seedsUpTo(500).reverse() },
    'a list of 10,000 seeds': { seeds: seedsUpTo(10_000) },
    'a million trials': { seeds: 1_000_000, pruneRatios: [0] },
  };
  it.each(Object.entries(largest))('is not too much for the rules: %s', async (_, spec) => {
    expect(problems(document(spec), MNIST)).toEqual([]);
    expect(await refusal(JSON.stringify(document(spec)))).toBeUndefined();
  });

  it('shows its status in columns', async () => {
    const status: SweepStatus = {
      observedGeneration: 1,
      state: 'Running',
      trials: { total: 348, recorded: 17, failed: 1, running: 24 },
      packs: { total: 30, active: 4, succeeded: 2, failed: 0 },
      networks: 6,
      best: '97.31 % at 2657',
      timeLeft: '2h5m',
      job: 'article-abc',
      failedTrials: [{ trial: '300-100', reason: 'it diverged' }],
      conditions: CONDITIONS.map((type) => ({
        type,
        status: 'True',
        reason: 'Because',
        message: 'It is so.',
        observedGeneration: 1,
        lastTransitionTime: '2026-11-24T20:00:00Z',
      })),
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(document({}, 'shown')));
    const stored = (await ask('GET', `${PATH}/shown`, '')).body;
    const { body } = await ask(
      'PUT',
      `${PATH}/shown/status?fieldValidation=Strict`,
      JSON.stringify({ ...stored, status }),
    );
    expect(body.status).toEqual(status);
    for (const state of STATES) {
      const changed = JSON.stringify({ ...body, status: { ...status, state } });
      expect((await ask('PUT', `${PATH}/shown/status?dryRun=All`, changed)).code).toBe(200);
    }

    const rows = async (...flags: string[]) => (await kubectl(['get', 'psw', 'shown', ...flags])).trim().split('\n');
    const [head, row] = await rows();
    expect(head!.split(/\s{2,}/)).toEqual(['NAME', 'TRIALS', 'RECORDED', 'FAILED', 'RUNNING', 'STATE', 'AGE']);
    expect(row!.split(/\s{2,}/).slice(0, -1)).toEqual(['shown', '348', '17', '1', '24', 'Running']);
    const [wideHead, wideRow] = await rows('-o', 'wide');
    expect(wideHead).toMatch(/STATE +NETWORKS +BEST +TIME-LEFT +JOB +AGE/);
    expect(wideRow).toMatch(/Running +6 +97\.31 % at 2657 +2h5m +article-abc/);
    expect(await kubectl(['get', 'prunesweep', '-o', 'name'])).toContain('prunesweep.prunesweep.dev/shown');
    await kubectl(['wait', '--for=condition=Complete', 'psw/shown', '--timeout=10s']);
  });

  it('is scaled by kubectl', async () => {
    await kubectl(['apply', '-f', '-'], JSON.stringify(document({}, 'scaled')));
    await kubectl(['scale', 'psw/scaled', '--replicas=3']);
    expect(await kubectl(['get', 'psw', 'scaled', '-o', 'jsonpath={.spec.parallelism}'])).toBe('3');
    const { code, stderr } = await plane.kubectl(['scale', 'psw/scaled', '--replicas=0']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('greater than or equal to 1')]);
  });

  it(`is taken or refused as the command line would, ${RUNS} times`, async () => {
    await fc.assert(
      fc.asyncProperty(documents, async (candidate) => {
        const read = withoutNulls(candidate, SWEEP_SCHEMA);
        const found = problems(read, shapeFor(read));
        const { code, body } = await tryCreate(JSON.stringify(candidate));
        if (![201, 400, 422].includes(code)) throw new Error(`${code}: ${JSON.stringify(body)}`);
        if ((found.length === 0) !== (code === 201))
          throw new Error(`the command line says ${JSON.stringify(found)}, the server ${code} ${body.message}`);
        if (code === 201) expect(body.spec).toEqual((checkStructure(asGo(read)).copy as Sweep).spec);
      }),
      { numRuns: RUNS },
    );
  });

  // In the order of UNKNOWN_TO_CEL, as raw text: who writes JSON otherwise than JavaScript does is heard too.
  const raw = (fields: string) =>
    `{"apiVersion":"prunesweep.dev/v1alpha1","kind":"PruneSweep","metadata":{"name":"raw"},"spec":{"hiddenWidths":[[9]],"pruneRatios":[0]${fields}}}`;
  const apart: [text: string, says: string | undefined][] = [
    [raw(`,"dataset":{"idx":${JSON.stringify(idx)},"validation":70000}`), undefined],
    [raw('').replace('[[9]]', JSON.stringify(seedsUpTo(8000).map((width) => [width]))), undefined],
    [raw(`,"seeds":${JSON.stringify([...seedsUpTo(501), 1])}`), undefined],
    [raw(',"training":null,"seeds":null,"recipes":null,"lineagesPerPack":null'), undefined],
    [raw(',"maxFailedTrials":8.0000000001'), undefined],
    [raw('').replace('"name"', '"owner":"me","name"'), 'unknown field "metadata.owner"'],
    [raw(',"dataset":{"validation":5.0}'), 'invalid data, expected int, got float64'],
  ];
  it('is told apart from the command line by what is written down, and each of it is true', async () => {
    expect(apart).toHaveLength(UNKNOWN_TO_CEL.length);
    for (const [index, [text, says]] of apart.entries()) {
      const found = problems(JSON.parse(text), MNIST);
      expect([index, found.length > 0]).toEqual([index, says === undefined]);
      const said = await refusal(text);
      if (says === undefined) expect([index, said]).toEqual([index, undefined]);
      else expect(said).toContain(says);
    }
  });

  it('has the same numbers however they are written', async () => {
    const same = [
      ['"maxFailedTrials":8.0,"seeds":2.0,"training":{"epochs":3.0,"l1":0.0}', true],
      ['"maxFailedTrials":8e0,"seeds":1e3', true],
      ['"remainingWeights":[-0],"seeds":3', false],
      ['"training":{"l1":-0.0,"momentum":-0}', true],
      ['"pruneRatios":[0,0.0]', false],
      ['"pruneRatios":[0,-0.0]', false],
      ['"pruneRatios":[0.99999999999999999999]', false],
      ['"seeds":[1,1.0]', false],
      ['"seeds":9223372036854775808', false],
      ['"seeds":1e300', false],
      ['"maxFailedTrials":-0.0', true],
    ] as const;
    for (const [fields, isTaken] of same) {
      const text = raw(`,${fields}`).replace(/"pruneRatios":\[0\],("pruneRatios")/, '$1');
      expect([fields, problems(JSON.parse(text), MNIST).length === 0]).toEqual([fields, isTaken]);
      expect([fields, (await refusal(text)) === undefined]).toEqual([fields, isTaken]);
    }
  });
});

/** The files of idx are not the server's to read. */
function shapeFor(read: unknown): typeof MNIST | undefined {
  const { dataset } = ((read as { spec?: unknown }).spec ?? {}) as { dataset?: { idx?: unknown } };
  return dataset?.idx === undefined ? MNIST : undefined;
}

/** Half of a surrogate pair is no character to Go. */
const asGo = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value).replace(/\\ud[89a-f][0-9a-f]{2}/g, '\ufffd')) as unknown;

/** What the server reads: null is nothing, in a field that there is. */
function withoutNulls(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value))
    return schema.items === undefined ? value : value.map((item) => withoutNulls(item, schema.items!));
  if (typeof value !== 'object' || value === null) return value;
  // A field may be called `constructor`, which every object has.
  const known = new Map(Object.entries(schema.properties ?? {}));
  const fields = Object.entries(value).filter(([name, child]) => child !== null || !known.has(name));
  return Object.fromEntries(
    fields.map(([name, child]) => {
      const field = known.get(name);
      return [name, field === undefined ? child : withoutNulls(child, field)];
    }),
  );
}
