/** Trainers and an aggregator as processes with a real nats-server between them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'nats';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectNats } from '../../bus/nats/connect';
import { NatsLedger } from '../../bus/nats/ledger';
import { RECORDS } from '../../bus/nats/subjects';
import { loadSweep } from '../../cli/sweepfile';
import { gridPoints } from '../../sweep/grid';
import { temporaryFolder, writeIdxFolder } from '../idxfiles';
import { hasNats, NatsServer, natsProgram, whyNoNats } from '../servers/nats';
import { NatsServer as Server } from '../servers/natsserver';
import { hasTfjs } from '../servers/tfjs';
import { type Outcome, prunesweep, resultHash, start, until, writeSweep } from './prunesweep';

const SPEC = {
  hiddenWidths: [[40, 20]],
  pruneRatios: [0, 0.9, 0.98],
  seeds: 2,
  training: { epochs: 2 },
  retraining: { epochs: 1 },
};

/** A sweep on images of its own, so that a trainer starts at once. */
function smallSweep(folder: string, spec: object = {}, size: object = {}): string {
  const idx = writeIdxFolder(folder, { side: 20, train: 1500, ...size });
  return writeSweep(folder, { ...SPEC, dataset: { idx }, ...spec }, 'small.yaml');
}

async function server(config = ''): Promise<NatsServer> {
  const nats = await NatsServer.start(config);
  onTestFinished(() => nats.stop());
  return nats;
}

interface Serving {
  api: string;
  process: ChildProcess;
  outcome: Promise<Outcome>;
}

async function aggregator(url: string, folder: string, ...more: string[]): Promise<Serving> {
  const running = start([
    'aggregator',
    '--nats',
    url,
    '--store',
    join(folder, 'store'),
    '--http',
    '127.0.0.1:0',
    ...more,
  ]);
  let said = '';
  running.process.stderr!.on('data', (data: Buffer) => {
    said += data.toString();
  });
  onTestFinished(async () => {
    running.process.kill('SIGKILL');
    await running.outcome;
  });
  const address = /listening at (http:\/\/[\d.:]+)/;
  await until(() => address.test(said));
  return { api: `${address.exec(said)![1]}/api/sweeps/test`, process: running.process, outcome: running.outcome };
}

const trainer = (url: string, sweep: string, pack: number) =>
  prunesweep('trainer', '--nats', url, '--sweep', sweep, '--pack', String(pack));

async function json(url: string): Promise<Record<string, unknown> | undefined> {
  const answer = await fetch(url);
  return answer.ok ? ((await answer.json()) as Record<string, unknown>) : undefined;
}

async function untilComplete(api: string): Promise<void> {
  await expect.poll(async () => (await json(api))?.complete, { timeout: 60_000 }).toBe(true);
}

const text = async (url: string) => (await fetch(url)).text();

describe.runIf(hasNats)(`a sweep over NATS${whyNoNats}`, () => {
  it('comes to the same bytes as on one machine, by trainers that know the sweep file alone', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder);
    await prunesweep('run', sweep, '--out', join(folder, 'alone'));
    const nats = await server();
    const { api, process, outcome } = await aggregator(nats.url, folder);
    const ended = await Promise.all([trainer(nats.url, sweep, 0), trainer(nats.url, sweep, 1)]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    await untilComplete(api);
    for (const file of ['trials.csv', 'table.csv', 'table.md', 'sweep.yaml'])
      expect(await text(`${api}/${file}`), file).toBe(readFileSync(join(folder, 'alone', file), 'utf8'));
    const parquet = Buffer.from(await (await fetch(`${api}/trials.parquet`)).arrayBuffer());
    expect(parquet.equals(readFileSync(join(folder, 'alone', 'trials.parquet')))).toBe(true);
    process.kill('SIGTERM');
    expect((await outcome).code).toBe(0);
  });

  it('is trained dense by some and pruned by others, each trial once, and says who did what', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder, { template: { accelerator: 'gpu' }, pruneRatios: [0, 0.9, 0.98] });
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    const part = (name: string, pack: number, ...more: string[]) =>
      prunesweep('trainer', '--nats', nats.url, '--sweep', sweep, '--part', name, '--pack', String(pack), ...more);
    const dense = await part('dense', 0, '--engine', hasTfjs ? 'tfjs' : 'wasm');
    expect(dense.code, dense.stderr).toBe(0);
    expect(dense.stderr).toContain('dense 0: every dense network is trained');
    // A GPU's pack has both lineages, a core's has one.
    const trials = async () => (await json(api))?.trials;
    await expect.poll(trials, { timeout: 20_000 }).toMatchObject({ total: 6, recorded: 2 });
    const pruned = await Promise.all([part('pruned', 0), part('pruned', 1)]);
    for (const { code, stderr } of pruned) {
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('3 trials, 1 recorded, 1 of 1 lineages to work on');
      expect(stderr).not.toContain('recorded 40-20 seed 1 · magnitude/global/masked/iterative 8820');
    }
    expect((await part('pruned', 2)).stderr).toContain('--pack: 2 is not a pack of test; give 0 to 1');
    await untilComplete(api);
    const link = await connectNats({ url: nats.url }, 'test', () => {});
    onTestFinished(() => link.connection.close());
    const { sweep: accepted, shape } = loadSweep(sweep);
    const ids = gridPoints(accepted.spec, shape).map(({ trial }) => trial.id);
    const ledger = await NatsLedger.open(link);
    expect((await ledger.position(0)).last).toBe(6);
    const records = [...(await ledger.recorded(ids)).values()];
    expect(records).toHaveLength(6);
    for (const { trial, engine, cost } of records) {
      const isDense = trial.parent === null && trial.retraining === null;
      expect(engine).toBe(isDense && hasTfjs ? 'tfjs' : 'wasm');
      expect(cost.versions.denseEngine).toEqual(isDense || !hasTfjs ? undefined : expect.stringMatching(/^tfjs \d/));
    }
  });

  it('is run by local workers through NATS, and knows what others have recorded', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder);
    const nats = await server();
    const out = (name: string) => join(folder, name);
    await prunesweep('run', sweep, '--out', out('alone'));
    const { api } = await aggregator(nats.url, folder, '--sweep', sweep);
    expect((await trainer(nats.url, sweep, 1)).code).toBe(0);
    const run = await prunesweep('run', sweep, '--out', out('through'), '--nats', nats.url);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('6 trials, 3 recorded, 1 of 2 lineages');
    expect(resultHash(out('through'))).toBe(resultHash(out('alone')));
    await untilComplete(api);
    const again = await prunesweep('run', sweep, '--out', out('third'), '--nats', nats.url);
    expect(again.stderr).not.toContain('lineages to work on');
    expect(resultHash(out('third'))).toBe(resultHash(out('alone')));
    expect((await prunesweep('verify', out('third'))).code).toBe(0);
  });

  it('takes what a folder has recorded to a NATS that lacks it', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder);
    await prunesweep('run', sweep, '--out', join(folder, 'out'));
    const nats = await server();
    const run = await prunesweep('run', sweep, '--out', join(folder, 'out'), '--nats', nats.url);
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).not.toContain('lineages to work on');
    const { api } = await aggregator(nats.url, folder);
    await untilComplete(api);
  });

  it('trains no epoch twice when a trainer is asked to end and another goes on', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder, { seeds: 1, training: { epochs: 400 }, hiddenWidths: [[200, 100]] });
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    await expect.poll(async () => (await fetch(api.replace(/api.*/, 'readyz'))).ok, { timeout: 20_000 }).toBe(true);
    const raw = await connect({ servers: nats.url });
    onTestFinished(() => raw.close());
    const epochs: string[] = [];
    raw.subscribe('prunesweep.progress.*.*', {
      callback: (_, message) => {
        const { step, epoch } = message.json<{ step?: string; epoch?: number }>();
        if (epoch !== undefined) epochs.push(`${step} ${epoch}`);
      },
    });
    await raw.flush();
    const first = start(['trainer', '--nats', nats.url, '--sweep', sweep, '--pack', '0']);
    await until(() => epochs.length > 5);
    first.process.kill('SIGTERM');
    const { code, stderr } = await first.outcome;
    expect(code, stderr).toBe(143);
    expect(stderr).not.toContain('recorded ');
    const second = await trainer(nats.url, sweep, 0);
    expect(second.code, second.stderr).toBe(0);
    await raw.flush();
    expect(new Set(epochs).size).toBe(400 + 2);
    expect(epochs).toHaveLength(400 + 2);
  });

  it('goes on from the checkpoint of a trainer that was killed elsewhere', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder, { seeds: 1, training: { epochs: 400 }, hiddenWidths: [[200, 100]] });
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    await expect.poll(async () => (await fetch(api.replace(/api.*/, 'readyz'))).ok, { timeout: 20_000 }).toBe(true);
    const first = start(['trainer', '--nats', nats.url, '--sweep', sweep, '--pack', '0']);
    let said = '';
    first.process.stderr!.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const raw = await connect({ servers: nats.url });
    onTestFinished(() => raw.close());
    const objects = await raw.jetstream().views.os('prunesweep-checkpoints');
    await expect.poll(async () => (await objects.list()).length, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    first.process.kill('SIGKILL');
    await first.outcome;
    expect(said).not.toContain('recorded ');
    const second = await trainer(nats.url, sweep, 0);
    expect(second.code, second.stderr).toBe(0);
    const epoch = Number(/epoch (\d+)\/400/.exec(second.stderr)![1]);
    expect(epoch).toBeGreaterThan(1);
    // All is recorded, and nothing is left to go on from.
    expect(await objects.list()).toEqual([]);
  });

  it('says which trials have failed and why', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder, {
      seeds: 1,
      maxFailedTrials: 100,
      training: { epochs: 2, optimizer: 'sgd', learningRate: 10, l2: 1 },
    });
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    const { code } = await trainer(nats.url, sweep, 0);
    expect(code).toBe(1);
    await expect
      .poll(async () => (await json(api))?.trials, { timeout: 20_000 })
      .toMatchObject({ total: 3, recorded: 0, failed: 3, running: 0 });
    expect((await json(api))!.state).toBe('failed');
    const { trials } = (await json(`${api}/trials?state=failed`)) as { trials: { failure: string }[] };
    expect(trials).toHaveLength(3);
    expect(trials[0]!.failure).toMatch(/the loss is no longer a number in epoch/);
  });

  it('ends a trainer with the mend where waiting would not help', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder);
    const tight = await server('max_payload: 1000');
    await aggregator(tight.url, folder);
    const refused = await trainer(tight.url, sweep, 0);
    expect(refused.code).toBe(65);
    expect(refused.stderr).toMatch(/raise max_payload in its configuration/);
    const none = await trainer(tight.url, sweep, 2);
    expect(none.code).toBe(64);
    expect(none.stderr).toContain('--pack: 2 is not a pack of test; give 0 to 1');
    for (const [url, message] of [
      ['nats://', /expected nats:\/\/HOST:PORT/],
      ['http://127.0.0.1:1', /expected nats:\/\/HOST:PORT/],
    ] as const) {
      const { code, stderr } = await trainer(url, sweep, 0);
      expect(code).toBe(64);
      expect(stderr).toMatch(message);
    }
  });

  it('alarms when a trial is measured twice with different results', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder, { seeds: 1 });
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    await prunesweep('run', sweep, '--out', join(folder, 'right'));
    const ledger = join(folder, 'right', 'ledger.ndjson');
    const [line] = readFileSync(ledger, 'utf8').split('\n');
    const record = JSON.parse(line!);
    delete record.checksum;
    record.test.correct -= 1;
    const raw = await connect({ servers: nats.url });
    onTestFinished(() => raw.close());
    await raw.jetstream().publish(`prunesweep.record.${record.id}`, JSON.stringify(record));
    const run = await prunesweep('run', sweep, '--out', join(folder, 'right'), '--nats', nats.url);
    expect(run.code).toBe(65);
    expect(run.stderr).toContain(`trial ${record.id} has been measured twice with different results`);
    await expect.poll(async () => (await json(api))?.conflicts, { timeout: 20_000 }).toEqual([record.id]);
    expect(await text(api.replace(/api.*/, 'metrics'))).toContain('prunesweep_conflicts 1');
  });

  it('ends an aggregator that cannot serve with what to do', async () => {
    const folder = temporaryFolder();
    const sweep = smallSweep(folder);
    const nats = await server();
    const { api } = await aggregator(nats.url, folder);
    const { host } = new URL(api);
    const at = (http: string, store = join(folder, 'other')) =>
      prunesweep('aggregator', '--nats', nats.url, '--store', store, '--http', http);
    for (const [outcome, code, message] of [
      [await at(host), 64, /EADDRINUSE: choose another address or port/],
      [await at('nowhere'), 64, /--http: nowhere is no address; give HOST:PORT/],
      [await at('127.0.0.1:0', join(folder, 'store')), 64, /another process has the store; end it, or choose another/],
      [await at('127.0.0.1:0', join(sweep, 'store')), 74, /ENOTDIR: a part of the path is not a folder/],
    ] as const) {
      expect(outcome.stderr).toMatch(message);
      expect(outcome.code).toBe(code);
    }
  });

  const isRoot = process.getuid?.() === 0;
  it.runIf(isRoot)(
    'waits while the disk of NATS is full, and loses nothing (needs root to mount a small disk)',
    async () => {
      const folder = temporaryFolder();
      const sweep = smallSweep(folder, { seeds: 1, pruneRatios: [0, 0.5, 0.8, 0.9, 0.95, 0.98] });
      await prunesweep('run', sweep, '--out', join(folder, 'alone'));
      // A mount namespace of its own holds the disk for as long as the test runs, over kills of the server.
      const store = join(folder, 'nats');
      mkdirSync(store);
      const holder = spawn('unshare', [
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs -o size=40m tmpfs ${store} && exec sleep 600`,
      ]);
      onTestFinished(async () => {
        holder.kill('SIGKILL');
        await once(holder, 'exit');
      });
      const inside = (...command: string[]) =>
        execFileSync('nsenter', [`--mount=/proc/${holder.pid}/ns/mnt`, ...command], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      await until(() => inside('df', '--output=fstype', store).toString().includes('tmpfs'));
      const program = join(folder, 'nats-server');
      writeFileSync(program, `#!/bin/sh\nexec nsenter --mount=/proc/${holder.pid}/ns/mnt ${natsProgram()} "$@"\n`);
      chmodSync(program, 0o755);
      const nats = await Server.start(program, { store });
      onTestFinished(() => nats.stop());
      const { api } = await aggregator(nats.url, folder);
      await expect.poll(async () => (await fetch(api.replace(/api.*/, 'readyz'))).ok, { timeout: 20_000 }).toBe(true);
      expect(() => inside('dd', 'if=/dev/zero', `of=${join(store, 'junk')}`, 'bs=64k')).toThrow();
      const running = start(['trainer', '--nats', nats.url, '--sweep', sweep, '--pack', '0']);
      let said = '';
      running.process.stderr!.on('data', (data: Buffer) => {
        said += data.toString();
      });
      await until(() => /waits for NATS/.test(said));
      expect((await json(api))?.complete ?? false).toBe(false);
      rmSync(`/proc/${holder.pid}/root${join(store, 'junk')}`);
      // A server whose disk was full keeps JetStream off until it is started again.
      await nats.kill();
      await nats.begin();
      const { code, stderr } = await running.outcome;
      expect(code, stderr).toBe(0);
      await untilComplete(api);
      expect(await text(`${api}/trials.csv`)).toBe(readFileSync(join(folder, 'alone', 'trials.csv'), 'utf8'));
      const raw = await connect({ servers: nats.url });
      onTestFinished(() => raw.close());
      expect((await (await raw.jetstreamManager()).streams.info(RECORDS)).state.messages).toBe(6);
    },
  );
});
