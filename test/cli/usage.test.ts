import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ClassPlan } from '../../trainer/podclasses';
import { temporaryFolder, writeIdxFolder } from '../idxfiles';
import { prunesweep, writeSweep } from './prunesweep';

const SAMPLES = resolve(__dirname, '../../k8s/samples');
const HEADER = 'apiVersion: prunesweep.dev/v1alpha1\nkind: PruneSweep\nmetadata: {name: hostile}\n';

describe('help', () => {
  for (const command of ['run', 'plan', 'table', 'verify', 'fields'])
    it(`of ${command} says what it takes and does`, async () => {
      const { code, stdout } = await prunesweep(command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: prunesweep ${command}`);
      expect(stdout.length).toBeGreaterThan(150);
    });

  it('shows a sweep file that can be run, and names every command and exit code', async () => {
    const { stdout } = await prunesweep('--help');
    for (const word of ['run', 'plan', 'table', 'verify', 'fields', '64', '65', '74', '130'])
      expect(stdout).toContain(word);
    const example = /(apiVersion[\s\S]*?)\n\n/.exec(stdout)![1]!.replace(/^ {2}/gm, '');
    const file = join(temporaryFolder(), 'example.yaml');
    writeFileSync(file, example);
    expect((await prunesweep('plan', file)).stdout).toContain('300-100');
  });

  it('lists every field with its default', async () => {
    const { stdout } = await prunesweep('fields');
    expect(stdout).toMatch(/ {4}learningRate: a number above 0 to 10; default 0\.001/);
    expect(stdout).toMatch(/ {2}hiddenWidths \(list\): required/);
  });
});

describe('wrong usage ends with 64 and says what is right', () => {
  const file = join(SAMPLES, 'quickstart.yaml');
  const cases: [string, string[], RegExp][] = [
    ['no command', [], /Usage: prunesweep/],
    ['an unknown command', ['rn'], /unknown command 'rn'/],
    ['no folder', ['run', file], /required option '--out <dir>' not specified/],
    [
      'no workers',
      ['run', file, '--out', '/nowhere', '--workers', '0'],
      /'0' is invalid.*an integer from 1 on is needed/,
    ],
    ['an unknown option', ['plan', file, '--yaml'], /unknown option '--yaml'/],
    ['an unknown format', ['table', '.', '--format', 'pdf'], /'pdf' is invalid.*md, csv, tex, json/],
    [
      'pods with a GPU that no pod can be',
      [
        'controller',
        '--nats',
        'nats://127.0.0.1:1',
        '--aggregator',
        'http://127.0.0.1:1',
        '--gpu-pods',
        '{nodeselector: {}}',
      ],
      /--gpu-pods: nodeselector is unknown; give \{image/,
    ],
    ['a sweep file that is not there', ['plan', '/nowhere.yaml'], /\/nowhere\.yaml: there is no such sweep file/],
    ['a folder without a run', ['verify', SAMPLES], /samples: not the folder of a run \(there is no sweep\.yaml\)/],
  ];
  for (const [name, args, message] of cases)
    it(name, async () => {
      const { code, stderr } = await prunesweep(...args);
      expect(stderr).toMatch(message);
      expect(code).toBe(64);
    });
});

describe('a hostile sweep file is refused with 65, quickly and in little memory', () => {
  const seeds = 'seeds: 1000000';
  const files: Record<string, string> = {
    'aliases that explode': `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghijk'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghij'[i]}`)}]`).join('\n')}\n`,
    '10 MB': `${HEADER}spec: {hiddenWidths: [[${Array(2_500_000).fill(300)}]]}`,
    'nested brackets': `${HEADER}spec: ${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    'nested brackets that quotes hide': `${HEADER}spec: ${'["]",'.repeat(12_000)}`,
    'as many keys as are read': `${HEADER}${Array.from({ length: 7_500 }, (_, i) => `a${i}: `).join('\n')}`,
    'as many objects as are read': `a:\n${'- a:\n'.repeat(13_000)}`,
    'nested lists': `${HEADER}spec: ${'- '.repeat(30_000)}1`,
    'nested keys': `${HEADER}spec: ${'? '.repeat(30_000)}1`,
    'deep indentation': `${HEADER}spec:\n${Array.from({ length: 300 }, (_, i) => `${' '.repeat(i + 1)}-`).join('\n')}`,
    'as much as is read': `${HEADER}spec: {hiddenWidths: [[${Array(30_000).fill(3)}]]}`,
    'a prototype': `${HEADER}__proto__: {a: 1}\nspec: {hiddenWidths: [[3]], pruneRatios: [0], __proto__: {epochs: 3}}`,
    NaN: `${HEADER}spec: {hiddenWidths: [[3]], pruneRatios: [.nan]}`,
    '1e309': `${HEADER}spec: {hiddenWidths: [[3]], pruneRatios: [0.5], training: {learningRate: 1e309}}`,
    'widths of 1e9': `${HEADER}spec: {hiddenWidths: [[1e9]], pruneRatios: [0.5]}`,
    'the widest of networks': `${HEADER}spec: {hiddenWidths: [[${Array(16).fill(65536)}]], pruneRatios: [0.5]}`,
    'a grid of 1e12 trials': `${HEADER}spec: {hiddenWidths: [${Array.from({ length: 100 }, (_, i) => `[${i + 3}]`)}], pruneRatios: [${Array.from({ length: 1000 }, (_, i) => i / 1001)}], ${seeds}, recipes: [${['criterion: random', 'recovery: none', 'scope: layer', 'schedule: oneshot', 'recovery: regrow', 'l1: 0.1', 'l1: 0.2', 'l1: 0.3', 'l1: 0.4', 'l1: 0.5'].map((recipe) => `{${recipe}}`)}]}`,
    nothing: '',
    binary: '\0\u0001\u0002\ufffd',
  };
  for (const [name, text] of Object.entries(files))
    it(name, async () => {
      const file = join(temporaryFolder(), 'hostile.yaml');
      writeFileSync(file, text);
      const { code, stderr, stdout, seconds, megabytes } = await prunesweep('plan', file);
      console.info(`${name}: ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB`);
      expect(code).toBe(65);
      expect(stdout).toBe('');
      expect(stderr).not.toMatch(/^ +at /m);
      expect(stderr.length).toBeLessThan(10_000);
      expect(megabytes).toBeLessThan(300);
      // A hang, not slowness: it takes 0.2 to 0.6 s on an idle core.
      expect(seconds).toBeLessThan(20);
    });
});

describe('prunesweep plan', () => {
  it('counts a grid of 100,000 trials in little memory', async () => {
    const file = writeSweep(temporaryFolder(), {
      hiddenWidths: Array.from({ length: 10 }, (_, i) => [300 + i, 100]),
      pruneRatios: Array.from({ length: 10 }, (_, i) => i / 10),
      recipes: [{}, { criterion: 'random' }],
      seeds: 500,
    });
    const { code, stdout, seconds, megabytes } = await prunesweep('plan', file, '--json');
    console.info(`100,000 trials: ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ trials: 100_000, lineages: 5000, packs: 5000 });
    const plan = JSON.parse(stdout) as Record<'estimatedSeconds' | 'coreSeconds' | 'longestLineageSeconds', number>;
    expect(plan.estimatedSeconds).toBeGreaterThan(1000);
    expect(plan.longestLineageSeconds * 5000).toBeGreaterThanOrEqual(plan.coreSeconds);
    expect(plan.longestLineageSeconds).toBeLessThan(plan.coreSeconds / 4000);
    expect(megabytes).toBeLessThan(300);
  });

  it('says what a pod asks for, where pods can have the data', async () => {
    const plan = async (spec: object) => (await prunesweep('plan', writeSweep(temporaryFolder(), spec))).stdout;
    expect(await plan({ hiddenWidths: [[300, 100]], seeds: 3 })).toMatch(
      /in a cluster up to 3 pods at once, each with a core and 323 MiB of memory\n$/,
    );
    expect(await plan({ template: { resources: { requests: { cpu: '2' } } } })).toMatch(
      /in a cluster up to 1 pod at once, each as template\.resources says\n$/,
    );
    expect(await plan({ dataset: { idx: writeIdxFolder(temporaryFolder()) } })).not.toContain('pods');
  });

  it('says of a sweep for GPUs which parts cost less on a core', async () => {
    const file = writeSweep(temporaryFolder(), { seeds: 9, template: { accelerator: 'gpu', gpuPrice: 2.5 } });
    const { stdout } = await prunesweep('plan', file);
    expect(stdout).toMatch(/up to 1 pod at once, each with a core and \d+ MiB of memory and one nvidia\.com\/gpu\n/);
    expect(stdout).toMatch(/a GPU at the price of 2\.5 cores \(template\.gpuPrice\)/);
    expect(stdout).toMatch(
      / {2}300-100 +dense training: (GPU|core) \(\d.* of a core or \d.* of a GPU\); retraining: \S/,
    );
    const plan = JSON.parse((await prunesweep('plan', file, '--json')).stdout) as {
      coreSeconds: number;
      classes: ClassPlan;
    };
    expect(plan.classes.parts.map(({ part, remainingWeights }) => `${part} ${remainingWeights}`)).toEqual([
      ...['dense 266200', 'pruned 26620', 'pruned 2662'],
    ]);
    expect(plan.classes.worth.cpu).toBeCloseTo(plan.coreSeconds, 6);
    expect((await prunesweep('plan', writeSweep(temporaryFolder(), {}))).stdout).not.toContain('GPU');
    const mixed = { seeds: 9, template: { accelerator: 'gpu', retrainOn: 'cpu' } };
    expect((await prunesweep('plan', writeSweep(temporaryFolder(), mixed))).stdout).toMatch(
      /nvidia\.com\/gpu,\nthen up to 8 pods at once, each with a core and 323 MiB of memory, from checkpoints of 0\.011 GiB in NATS\n/,
    );
  });

  it('of data that are wrong names the field, beside all else that is wrong', async () => {
    const folder = temporaryFolder();
    const idx = writeIdxFolder(folder);
    const file = writeSweep(folder, { dataset: { idx: { ...idx, testLabels: 'missing' } }, hiddenWidths: [[0]] });
    const { code, stderr } = await prunesweep('plan', file);
    expect(code).toBe(65);
    expect(stderr).toContain(`spec.dataset.idx.testLabels: ${join(folder, 'missing')}: there is no such file`);
    expect(stderr).toContain('spec.hiddenWidths[0][0]: 0 is not a layer width');
  });

  it('reads relative paths from where the sweep file is', async () => {
    const folder = temporaryFolder();
    writeIdxFolder(folder, { gzip: true });
    const idx = {
      trainImages: 'train-images.gz',
      trainLabels: './train-labels.gz',
      testImages: 'test-images.gz',
      testLabels: 'test-labels.gz',
    };
    const { stdout } = await prunesweep('plan', writeSweep(folder, { dataset: { idx } }));
    expect(stdout).toContain('1,500 training and 300 test images');
  });

  for (const sample of readdirSync(SAMPLES))
    it(`accepts each sweep of the sample ${sample}`, async () => {
      const file = join(temporaryFolder(), 'sweep.yaml');
      for (const text of readFileSync(join(SAMPLES, sample), 'utf8').split(/^---$/m)) {
        writeFileSync(file, text);
        const { code, stdout, stderr } = await prunesweep('plan', file);
        expect(code, stderr).toBe(0);
        const { spec, metadata } = parse(text) as {
          metadata: { name: string };
          spec: { hiddenWidths: unknown[] };
        };
        expect(stdout).toContain(`${metadata.name}: mnist`);
        expect(stdout).toContain(`${spec.hiddenWidths.length} network`);
      }
    });
});
