import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NameQueue } from '../../../controller/kubernetes/queue';

const PATIENT = { timeout: 20_000, interval: 5 };

/** A queue that is worked off until the test ends. */
function worked(workers: number, work: (name: string) => Promise<void>) {
  const queue = new NameQueue();
  const failures: string[] = [];
  const ended = new AbortController();
  const over = queue.work(workers, work, (name) => failures.push(name), ended.signal);
  onTestFinished(() => ended.abort());
  return { queue, failures, over, end: () => ended.abort() };
}

describe('the queue of names', () => {
  it('has a name once, however often it is added', async () => {
    const seen: string[] = [];
    const queue = new NameQueue();
    for (const name of ['a', 'b', 'a', 'a', 'b']) queue.add(name);
    expect(queue.depth).toBe(2);
    const ended = new AbortController();
    const work = async (name: string) => void seen.push(name);
    const over = queue.work(3, work, () => {}, ended.signal);
    await expect.poll(() => seen, PATIENT).toEqual(['a', 'b']);
    ended.abort();
    await over;
    expect(seen).toEqual(['a', 'b']);
  });

  it('gives a name to one worker at a time, and different names to as many as there are', async () => {
    const atWork = new Map<string, number>();
    let [most, mostOfOne, done] = [0, 0, 0];
    const { queue } = worked(3, async (name) => {
      atWork.set(name, (atWork.get(name) ?? 0) + 1);
      mostOfOne = Math.max(mostOfOne, atWork.get(name)!);
      most = Math.max(
        most,
        [...atWork.values()].reduce((sum, n) => sum + n, 0),
      );
      await sleep(5);
      atWork.set(name, atWork.get(name)! - 1);
      done++;
    });
    for (let round = 0; round < 20; round++) {
      for (const name of ['a', 'b', 'c', 'd', 'e']) queue.add(name);
      await sleep(3);
    }
    await expect.poll(() => queue.depth, PATIENT).toBe(0);
    expect({ most, mostOfOne }).toEqual({ most: 3, mostOfOne: 1 });
    expect(done).toBeGreaterThanOrEqual(5);
  });

  it('gives a name again that was added while it was worked on, once', async () => {
    let looks = 0;
    let goOn = () => {};
    const { queue } = worked(2, async () => {
      looks++;
      if (looks === 1)
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
    });
    queue.add('a');
    await expect.poll(() => looks, PATIENT).toBe(1);
    queue.add('a');
    queue.add('a');
    await sleep(30);
    expect(looks).toBe(1);
    goOn();
    await expect.poll(() => looks, PATIENT).toBe(2);
    await sleep(30);
    expect(looks).toBe(2);
  });

  it('waits twice as long after each failure of a name, and begins anew after a success', async () => {
    const times: number[] = [];
    const { queue, failures } = worked(1, async () => {
      times.push(performance.now());
      if (times.length !== 5) throw new Error('again');
    });
    queue.add('a');
    await expect.poll(() => times.length, PATIENT).toBe(5);
    queue.add('a');
    await expect.poll(() => times.length, PATIENT).toBeGreaterThanOrEqual(7);
    const waits = times.slice(1).map((time, index) => time - times[index]!);
    // A timer is never early by more than a millisecond, and on a busy machine late by any time.
    expect(waits[0]).toBeGreaterThan(48);
    expect(waits[1]).toBeGreaterThan(98);
    expect(waits[2]).toBeGreaterThan(198);
    expect(waits[3]).toBeGreaterThan(398);
    expect(waits[5]).toBeLessThan(398);
    expect(failures.length).toBeGreaterThanOrEqual(5);
  });

  it('does not let a name that fails keep others waiting', async () => {
    const seen: string[] = [];
    const { queue } = worked(1, async (name) => {
      seen.push(name);
      if (name === 'bad') throw new Error('again');
    });
    queue.add('bad');
    await expect.poll(() => seen.length, PATIENT).toBeGreaterThan(1);
    queue.add('good');
    await expect.poll(() => seen, PATIENT).toContain('good');
  });

  it('looks again at the sooner of two times', async () => {
    const seen: number[] = [];
    const { queue } = worked(1, async () => void seen.push(performance.now()));
    const began = performance.now();
    queue.addAfter('a', 60_000);
    queue.addAfter('a', 40);
    queue.addAfter('a', 60_000);
    await expect.poll(() => seen.length, PATIENT).toBe(1);
    expect(seen[0]! - began).toBeGreaterThan(38);
    await sleep(30);
    expect(seen).toHaveLength(1);
  });

  it('ends when what is under way is done, and starts nothing more', async () => {
    const seen: string[] = [];
    let isDone = false;
    const { queue, over, end } = worked(1, async (name) => {
      seen.push(name);
      await sleep(50);
      isDone = true;
    });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 60);
    await expect.poll(() => seen, PATIENT).toEqual(['a']);
    end();
    await over;
    expect(isDone).toBe(true);
    await sleep(80);
    expect(seen).toEqual(['a']);
  });

  it('ends at once when there is nothing to do, and when it was to end before it began', async () => {
    const { over, end } = worked(2, async () => {});
    await sleep(5);
    end();
    await over;
    const queue = new NameQueue();
    queue.add('a');
    const never = async () => expect.unreachable();
    await queue.work(1, never, () => {}, AbortSignal.abort());
  });
});
