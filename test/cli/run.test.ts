import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readNpz } from '../../sweep/npz';
import { temporaryFolder, writeIdxFolder } from '../idxfiles';
import { ledgerLines, prunesweep, resultHash, start, until, writeSweep } from './prunesweep';

/** Odd widths, one hidden layer, every criterion, scope, recovery and schedule, on images of 20 x 20 in 3 classes. */
const SPEC = {
  hiddenWidths: [[37, 11, 5], [8]],
  pruneRatios: [0, 0.5, 0.9, 0.999],
  remainingWeights: [100],
  seeds: 2,
  recipes: [
    {},
    { recovery: 'regrow' },
    { criterion: 'random', scope: 'layer', schedule: 'oneshot' },
    { scope: 'layer', recovery: 'none', l2: 0.001 },
  ],
  training: { epochs: 2, batchSize: 50 },
  retraining: { epochs: 2, learningRateFactor: 1 },
};

/** SHA-256 of the trials.csv of SPEC. It changes only with the science or the order of sums, and then on purpose. */
const PINNED_TRIALS = 'e2106848b7fc96123b009f81b7ab9df07bbac5a5eed632daf60219bd46c78923';

function prepare(spec: object = SPEC): { folder: string; file: string; out: (name: string) => string } {
  const folder = temporaryFolder();
  const idx = writeIdxFolder(folder);
  const file = writeSweep(folder, { ...spec, dataset: { idx, validation: 100 } });
  return { folder, file, out: (name) => join(folder, name) };
}

describe('prunesweep run', () => {
  it('gives the same bytes with 1, 2 and 7 workers, and those that it has always given', async () => {
    const { file, out } = prepare();
    for (const workers of ['1', '2', '7']) {
      const { code, stdout } = await prunesweep(
        'run',
        file,
        '--out',
        out(workers),
        '--workers',
        workers,
        '--keep-networks',
      );
      expect(code).toBe(0);
      expect(stdout).toContain('| 37-11-5 |');
      expect(stdout).toContain('trials.parquet');
    }
    expect(new Set(['1', '2', '7'].map((workers) => resultHash(out(workers)))).size).toBe(1);
    expect(
      createHash('sha256')
        .update(readFileSync(join(out('1'), 'trials.csv')))
        .digest('hex'),
    ).toBe(PINNED_TRIALS);
    expect(readdirSync(out('1')).sort()).toEqual(
      [
        'costs.csv',
        'ledger.ndjson',
        'networks',
        'sweep.yaml',
        'table.csv',
        'table.md',
        'trials.csv',
        'trials.parquet',
      ].sort(),
    );
    expect((await prunesweep('verify', out('1'))).stdout).toContain(
      '80 kept networks evaluated again\nAll is as it should be.',
    );
  });

  it('keeps networks whose non-zero weights are the counts of their records', async () => {
    const { file, out } = prepare({ ...SPEC, seeds: 1 });
    await prunesweep('run', file, '--out', out('a'), '--keep-networks');
    const lines = ledgerLines(out('a')).map((line) => JSON.parse(line) as { id: string; remainingByLayer: number[] });
    expect(lines).toHaveLength(40);
    for (const { id, remainingByLayer } of lines) {
      const arrays = readNpz(readFileSync(join(out('a'), 'networks', `${id}.npz`))).filter(({ name }) =>
        name.endsWith('weight'),
      );
      expect(arrays.map(({ data }) => data.filter((weight) => weight !== 0).length)).toEqual(remainingByLayer);
    }
  });

  it('killed at random moments, goes on to the same bytes', async () => {
    const { file, out } = prepare({ ...SPEC, training: { epochs: 30, batchSize: 50 } });
    await prunesweep('run', file, '--out', out('whole'), '--keep-networks');
    let kills = 0;
    let state = 42;
    for (let done = false; !done; ) {
      const running = start(['run', file, '--out', out('killed'), '--keep-networks', '--workers', '2']);
      state = (state * 1103515245 + 12345) % 2 ** 31;
      // Later with each kill, so that a slow machine comes to an end too.
      const timer = setTimeout(() => running.process.kill('SIGKILL'), 350 + (state % 900) + 50 * kills);
      const { code } = await running.outcome;
      clearTimeout(timer);
      done = code === 0;
      if (!done) kills++;
      expect(kills).toBeLessThan(100);
    }
    expect(kills).toBeGreaterThan(1);
    expect(resultHash(out('killed'))).toBe(resultHash(out('whole')));
    expect((await prunesweep('verify', out('killed'))).code).toBe(0);
    expect(new Set(ledgerLines(out('killed')).map((line) => line.slice(0, 120))).size).toBe(80);
  });

  it('runs its sweep.yaml to the same trials', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]] });
    await prunesweep('run', file, '--out', out('a'));
    await prunesweep('run', join(out('a'), 'sweep.yaml'), '--out', out('b'));
    expect(resultHash(out('b'))).toBe(resultHash(out('a')));
  });

  it('runs only what is missing of a grown grid, and of another sweep with trials in common', async () => {
    const { folder, file, out } = prepare({
      ...SPEC,
      hiddenWidths: [[8]],
      seeds: 1,
      recipes: [{}, { recovery: 'none' }],
    });
    await prunesweep('run', file, '--out', out('a'));
    const before = ledgerLines(out('a'));
    const idx = writeIdxFolder(folder);
    const grown = writeSweep(
      folder,
      { ...SPEC, hiddenWidths: [[8], [9]], seeds: 2, recipes: [{}], dataset: { idx, validation: 100 } },
      'grown.yaml',
    );
    await prunesweep('run', grown, '--out', out('a'));
    const after = ledgerLines(out('a'));
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.length - before.length).toBe(20 - 5);
    await prunesweep('run', grown, '--out', out('fresh'));
    expect(resultHash(out('a'))).toBe(resultHash(out('fresh')));
  });

  it('makes the networks that were not kept when they are asked for later', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]], seeds: 1 });
    await prunesweep('run', file, '--out', out('a'));
    const lines = ledgerLines(out('a'));
    await prunesweep('run', file, '--out', out('a'), '--keep-networks');
    expect(ledgerLines(out('a'))).toEqual(lines);
    expect(readdirSync(join(out('a'), 'networks'))).toHaveLength(20);
    expect((await prunesweep('verify', out('a'))).code).toBe(0);
  });

  it('does nothing, quickly, when all is there', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]], seeds: 1 });
    await prunesweep('run', file, '--out', out('a'));
    const hash = resultHash(out('a'));
    const { code, stderr } = await prunesweep('run', file, '--out', out('a'));
    expect([code, stderr]).toEqual([0, '']);
    expect(resultHash(out('a'))).toBe(hash);
  });
});

describe('a run that is stopped', () => {
  const LONG = { ...SPEC, hiddenWidths: [[300, 100]], training: { epochs: 10000 }, recipes: [{}], seeds: 1 };

  it('by SIGINT ends within 2 s with exit 130, says how to go on, and leaves no lock', async () => {
    const { file, out } = prepare(LONG);
    const running = start(['run', file, '--out', out('a')]);
    await until(
      () =>
        existsSync(join(out('a'), 'checkpoints')) &&
        readdirSync(join(out('a'), 'checkpoints')).some((name) => name.endsWith('.fit.checkpoint')),
    );
    const asked = performance.now();
    running.process.kill('SIGINT');
    const { code, stderr } = await running.outcome;
    expect(performance.now() - asked).toBeLessThan(2000);
    expect(code).toBe(130);
    expect(stderr).toMatch(
      /Stopped by SIGINT\. Every recorded trial is kept; the same command goes on where this one was\./,
    );
    expect(existsSync(join(out('a'), 'lock'))).toBe(false);
    const again = start(['run', file, '--out', out('a')]);
    let news = '';
    again.process.stderr?.on('data', (data: Buffer) => {
      news += data.toString();
    });
    await until(() => / epoch \d+\//.test(news));
    again.process.kill('SIGINT');
    await again.outcome;
    expect(Number(/ epoch (\d+)\//.exec(news)![1])).toBeGreaterThan(1);
  });

  it('keeps a second one out of its folder, and names its process', async () => {
    const { file, out } = prepare(LONG);
    const running = start(['run', file, '--out', out('a')]);
    await until(() => existsSync(join(out('a'), 'lock')));
    const { code, stderr } = await prunesweep('run', file, '--out', out('a'));
    expect(code).toBe(64);
    expect(stderr).toMatch(
      new RegExp(
        `a: process ${running.process.pid} is running a sweep in this folder; wait for it, end it, or choose another --out`,
      ),
    );
    running.process.kill('SIGKILL');
    await running.outcome;
    const taken = start(['run', file, '--out', out('a')]);
    await until(() => readFileSync(join(out('a'), 'lock'), 'utf8').includes(String(taken.process.pid)));
    taken.process.kill('SIGINT');
    await taken.outcome;
  });
});

describe('on a processor without fused multiply-add', () => {
  it.runIf(process.arch === 'x64')('says that it is slow, and leaves the same bytes', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]], seeds: 1 });
    await prunesweep('run', file, '--out', out('here'));
    const without = ['/bin/sh', '-c', 'exec "$0" --no-enable-fma3 "$@"'];
    const { code, stderr } = await start(['run', file, '--out', out('there')], without).outcome;
    expect([code, stderr]).toEqual([0, expect.stringContaining('This processor has no fused multiply-add.')]);
    expect(resultHash(out('there'))).toBe(resultHash(out('here')));
  });
});

describe('a run that fails', () => {
  it('since a network diverges, says which trials, ends with 1, and has the table of the others', async () => {
    const { file, out } = prepare({
      ...SPEC,
      hiddenWidths: [[8]],
      seeds: 1, // With l2 = 1 a step of 10 multiplies each weight by -9.
      training: { epochs: 2, optimizer: 'sgd', learningRate: 10, l2: 1 },
    });
    const { code, stderr, stdout } = await prunesweep('run', file, '--out', out('a'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/trials failed \(.*\): the loss is no longer a number in epoch \d/);
    expect(stderr).toMatch(/spec\.maxFailedTrials allows 0.*lower spec\.training\.learningRate/);
    expect(stdout).toContain('(0 of 1)');
  });

  it('no more often than maxFailedTrials allows, has the table of the others and ends with 0', async () => {
    const recipes = [{}, { l2: 1 }];
    const training = { epochs: 2, optimizer: 'sgd', learningRate: 10 };
    const { file, out } = prepare({
      hiddenWidths: [[8]],
      pruneRatios: [0, 0.5],
      recipes,
      training,
      maxFailedTrials: 2,
    });
    const { code, stdout, stderr } = await prunesweep('run', file, '--out', out('a'));
    expect(code).toBe(0);
    expect(stderr).toContain('2 trials failed, spec.maxFailedTrials allows 2');
    expect(stdout.match(/\(0 of 1\)/g)).toHaveLength(2);
    expect(ledgerLines(out('a'))).toHaveLength(2);
  });

  const full = 'mount -t tmpfs -o size=200k tmpfs';
  const disks: [string, (out: string) => string, RegExp][] = [
    [
      'full',
      (out) => `mkdir ${out} && ${full} ${out}`,
      /ENOSPC: the disk is full; free some space and run again, nothing that was recorded is lost/,
    ],
    [
      'read-only',
      (out) => `mkdir ${out} && ${full} ${out} && mount -o remount,ro ${out}`,
      /EROFS: the file system is read-only; choose another folder/,
    ],
    ['limited', (out) => `mkdir ${out} && ulimit -f 40`, /EFBIG: the file may not grow any further/],
  ];
  const mayMount = process.getuid?.() === 0;
  for (const [name, before, message] of disks)
    it.skipIf(name !== 'limited' && !mayMount)(
      `since its disk is ${name}, ends with 74 and one message (needs root to mount a small disk)`,
      async () => {
        const { folder, file, out } = prepare({ ...SPEC, hiddenWidths: [[300, 100]], training: { epochs: 20 } });
        const script = join(folder, 'run.sh');
        writeFileSync(script, `${before(out('a'))} && exec "$@"\n`);
        const wrapper = name === 'limited' ? ['bash', script] : ['unshare', '--mount', 'bash', script];
        const { code, stderr } = await start(['run', file, '--out', out('a'), '--keep-networks'], wrapper).outcome;
        expect(stderr).toMatch(message);
        expect(stderr).not.toMatch(/^ +at /m);
        expect(code).toBe(74);
      },
    );

  it('since --out is a file, ends with 74', async () => {
    const { file, out } = prepare();
    writeFileSync(out('a'), '');
    const { code, stderr } = await prunesweep('run', file, '--out', out('a'));
    expect([code, stderr]).toEqual([
      74,
      expect.stringMatching(/a: EEXIST: there is a file of this name; choose another folder/),
    ]);
  });

  it('since its ledger was damaged, ends with 65 and the line', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]], seeds: 1 });
    await prunesweep('run', file, '--out', out('a'));
    const path = join(out('a'), 'ledger.ndjson');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"correct":', '"correct":1'));
    for (const command of [
      ['run', file, '--out', out('a')],
      ['table', out('a')],
      ['verify', out('a')],
    ]) {
      const { code, stderr } = await prunesweep(...command);
      expect([code, stderr]).toEqual([
        65,
        expect.stringMatching(/ledger\.ndjson, line 1: its checksum does not match its content\..*delete that line/),
      ]);
    }
  });

  it('since a checkpoint was damaged, ends with 65 and the file; without it the run goes on', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[300, 100]], seeds: 1, training: { epochs: 400 } });
    const running = start(['run', file, '--out', out('a')]);
    const checkpoints = join(out('a'), 'checkpoints');
    await until(
      () => existsSync(checkpoints) && readdirSync(checkpoints).some((name) => name.endsWith('.fit.checkpoint')),
    );
    running.process.kill('SIGKILL');
    await running.outcome;
    const damaged = readdirSync(checkpoints).find((name) => name.endsWith('.fit.checkpoint'))!;
    appendFileSync(join(checkpoints, damaged), 'x');
    const { code, stderr } = await prunesweep('run', file, '--out', out('a'));
    expect(code).toBe(65);
    expect(stderr).toContain(`${damaged}: the checkpoint's checksum does not match its content; delete the file`);
    rmSync(join(checkpoints, damaged));
    expect((await prunesweep('run', file, '--out', out('a'))).code).toBe(0);
  });
});

describe('prunesweep verify', () => {
  it('finds what is missing, changed or does not add up', async () => {
    const { file, out } = prepare({ ...SPEC, hiddenWidths: [[8]], seeds: 1 });
    await prunesweep('run', file, '--out', out('a'), '--keep-networks');
    const report = async () => (await prunesweep('verify', out('a'))).stdout;
    expect(await report()).toContain('All is as it should be.');

    const csv = join(out('a'), 'trials.csv');
    const text = readFileSync(csv, 'utf8');
    writeFileSync(csv, text.replace(/,0\.(\d)/, ',0.9$1'));
    expect(await report()).toContain('PROBLEM: trials.csv is not what the records add up to');
    writeFileSync(csv, text);

    const network = join(out('a'), 'networks', readdirSync(join(out('a'), 'networks'))[0]!);
    const bytes = readFileSync(network);
    const changed = Buffer.from(bytes);
    changed.writeFloatLE(1000, bytes.indexOf('fc1.weight.npy') + 14 + 128);
    writeFileSync(network, changed);
    expect(await report()).toMatch(/PROBLEM: networks\/[0-9a-f]{64}\.npz: /);
    writeFileSync(network, bytes);

    const ledger = join(out('a'), 'ledger.ndjson');
    writeFileSync(
      ledger,
      ledgerLines(out('a'))
        .slice(1)
        .map((line) => `${line}\n`)
        .join(''),
    );
    expect(await report()).toMatch(
      /PROBLEM: 1 of 20 trials have no record, the first is [0-9a-f]{64}; run the sweep again/,
    );
  });
});
