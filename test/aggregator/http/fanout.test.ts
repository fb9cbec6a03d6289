/** Many tabs at once, real sockets all: what they cost, and that none is a burden to the others. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Board } from '../../../aggregator/board';
import { LIMITS } from '../../../aggregator/http/limits';
import { start } from '../../cli/prunesweep';
import { temporaryFolder } from '../../idxfiles';
import { freePort } from '../../servers/port';
import { MadeUpRun } from '../folder';
import { EventReader } from './eventreader';

const PATIENT = { timeout: 60_000, interval: 20 };
/** 40 cells of 5 trials. */
const SMALL = { hiddenWidths: [[5], [4, 3]], pruneRatios: Array.from({ length: 20 }, (_, at) => at / 20), seeds: 5 };

/** 3,000 cells of a trial: 0.7 MB each time that all are told, which sockets do not hold by themselves for long. */
const LARGE = { ...SMALL, hiddenWidths: Array.from({ length: 150 }, (_, at) => [at + 5]), seeds: 1 };

const runOf = (spec: object) => new MadeUpRun(join(temporaryFolder(), 'out'), spec);
const tabs = (url: string, count: number) => Promise.all(Array.from({ length: count }, () => EventReader.connect(url)));
const cellsOf = async (url: string) => (await (await fetch(`${url}/api/sweeps/test/table.json`)).json()) as object[];
const shown = ({ cells }: EventReader) => cells.map(({ at: _, ...cell }) => cell);
/** What the process has in use, collected or not. */
async function megabytes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)![1]) / 1e6;
}
const untilRecorded = async (url: string, count: number) =>
  expect
    .poll(async () => {
      const answer = await fetch(`${url}/api/sweeps/test`).catch(() => undefined);
      return answer?.ok ? ((await answer.json()) as EventReader['status'])!.trials.recorded : undefined;
    }, PATIENT)
    .toBe(count);

describe('ten tabs', () => {
  it('cost the board what one does: each change is written out once', async () => {
    const run = runOf(SMALL);
    const url = await run.serve();
    await untilRecorded(url, 0);
    const written = vi.spyOn(Board.prototype, 'cellsAfter');
    onTestFinished(() => written.mockRestore());
    const all = (await tabs(url, 10)).map((tab) => tab.read());
    for (let at = 0; at < 200; at += 20) {
      run.write(at, at + 20);
      await sleep(120);
    }
    for (const tab of all) await expect.poll(() => tab.status?.trials.recorded, PATIENT).toBe(200);
    const frames = Math.max(...all.map(({ kinds }) => kinds.filter((kind) => kind === 'cells').length));
    const tables = new Set(written.mock.calls.map(([version]) => version === -1)).has(true) ? 1 : 0;
    expect(frames).toBeGreaterThan(2);
    expect(written.mock.calls.length).toBeLessThanOrEqual(frames + tables);
    for (const tab of all) {
      expect(tab.kinds.filter((kind) => kind === 'table')).toEqual(['table']);
      expect(shown(tab)).toEqual(await cellsOf(url));
    }
  });
});

describe('a tab', () => {
  it('of some seeds is told their cells as they change, and what it costs ends with it', async () => {
    const run = runOf(SMALL);
    const url = await run.serve();
    await untilRecorded(url, 0);
    const chosen = (await EventReader.connect(url, undefined, '?seeds=5,2')).read();
    run.write(0, 200);
    await expect.poll(() => chosen.status?.trials.recorded, PATIENT).toBe(200);
    await expect.poll(() => shown(chosen).map(({ n, N }) => `${n} of ${N}`), PATIENT).toEqual(Array(40).fill('2 of 2'));
    const written = vi.spyOn(Board.prototype, 'cellsAfter');
    onTestFinished(() => written.mockRestore());
    chosen.end();
    await expect(EventReader.connect(url, undefined, '?seeds=1;2')).rejects.toThrow('seeds must match pattern');
    run.failAll();
    await sleep(500);
    expect(written.mock.calls).toEqual([]);
  });

  it('that comes back is told what changed since, and all when that is not known any more', async () => {
    const run = runOf(SMALL);
    const url = await run.serve();
    await untilRecorded(url, 0);
    const first = (await EventReader.connect(url)).read();
    run.write(0, 50);
    await expect.poll(() => first.status?.trials.recorded, PATIENT).toBe(50);
    first.end();
    run.write(50, 60);
    await untilRecorded(url, 60);
    const back = (await EventReader.connect(url, first.lastId)).read();
    await expect.poll(() => back.status?.trials.recorded, PATIENT).toBe(60);
    expect(back.kinds).not.toContain('table');
    // The cells that the ten trials are of.
    expect(back.cells.filter((cell) => cell !== undefined).length).toBeLessThanOrEqual(10);
    for (const lastId of ['0123456789ab-3', 'nonsense', `${first.lastId}999`]) {
      const strange = (await EventReader.connect(url, lastId)).read();
      await expect.poll(() => strange.kinds[0], PATIENT).toBe('table');
      await expect.poll(() => shown(strange), PATIENT).toEqual(await cellsOf(url));
    }
  });

  it('that takes nothing is cut, and its place is another one’s', async () => {
    const run = runOf(LARGE);
    const url = await run.serve({ limits: { ...LIMITS, streams: 3, patience: 700 } });
    await untilRecorded(url, 0);
    const [reads, ...stuck] = await tabs(url, 3);
    reads!.read();
    await expect(EventReader.connect(url)).rejects.toThrow(
      '503 5 {"error":"3 streams of events are open, the most there may be; ask again in some seconds"}',
    );
    const another = async () => (await EventReader.connect(url).catch(() => undefined)) !== undefined;
    for (let times = 0; times < 100 && !(await another()); times++) {
      run.failAll();
      await sleep(300);
    }
    expect(await another()).toBe(true);
    expect(reads!.isCut).toBe(false);
    for (const tab of stuck) await expect.poll(() => tab.read().isCut, PATIENT).toBe(true);
  });
});

describe('a hundred tabs', () => {
  it('that do not read take no memory of the aggregator, and each ends with the same table', async () => {
    const run = runOf(LARGE);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const { process: server, outcome } = start(['serve', run.folder, '--http', `127.0.0.1:${port}`]);
    onTestFinished(async () => {
      server.kill('SIGTERM');
      await outcome;
    });
    await untilRecorded(url, 0);
    const reads = (await EventReader.connect(url)).read();
    const tell = async () => {
      const [before, frames] = [await megabytes(url), reads.kinds.length];
      for (let times = 0; times < 20; times++) {
        run.failAll();
        await sleep(250);
      }
      return { grown: (await megabytes(url)) - before, frames: reads.kinds.length - frames };
    };
    await tell();
    const stuck = await tabs(url, 100);
    const { grown, frames } = await tell();
    // Kept for each tab it would be this.
    expect(0.7 * frames * stuck.length).toBeGreaterThan(1000);
    expect(grown).toBeLessThan(150);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    run.write(0, 500);
    const last = stuck.slice(0, 3).map((tab) => tab.read());
    for (const tab of [...last, reads]) await expect.poll(() => tab.status?.trials.recorded, PATIENT).toBe(500);
    const table = await cellsOf(url);
    for (const tab of last) {
      expect(shown(tab).map(({ failed: _, ...cell }) => cell)).toEqual(table);
      expect(tab.kinds.filter((kind) => kind === 'cells').length).toBeLessThan(frames);
    }
  });
});
