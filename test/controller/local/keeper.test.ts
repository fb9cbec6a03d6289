import { describe, expect, it } from 'vitest';
import type { CheckpointName, Checkpoints } from '../../../bus/bus';
import { CheckpointKeeper } from '../../../controller/local/keeper';

/** Checkpoints in memory; each step takes a while, and they say what was done. */
class MemoryCheckpoints implements Checkpoints {
  readonly kept = new Map<string, string>();
  readonly done: string[] = [];

  constructor(private readonly milliseconds = 0) {}

  private async step(what: string): Promise<void> {
    await new Promise((done) => setTimeout(done, this.milliseconds));
    this.done.push(what);
  }

  load(): Promise<Map<CheckpointName, Uint8Array>> {
    return Promise.resolve(new Map());
  }

  async save(lineage: string, name: CheckpointName, bytes: Uint8Array): Promise<void> {
    await this.step(`save ${lineage}/${name} ${bytes[0]}`);
    this.kept.set(`${lineage}/${name}`, String(bytes[0]));
  }

  async remove(lineage: string): Promise<void> {
    await this.step(`remove ${lineage}`);
    for (const key of this.kept.keys()) if (key.startsWith(`${lineage}/`)) this.kept.delete(key);
  }
}

const bytes = (n: number) => Uint8Array.of(n);
const unexpected = (error: unknown) => {
  throw error;
};
const now = () => Promise.resolve();

describe('checkpoints beside the training', () => {
  it('are saved, but of those that were overtaken the newest alone', async () => {
    const store = new MemoryCheckpoints(5);
    const keeper = new CheckpointKeeper(store, unexpected);
    for (let n = 1; n <= 9; n++) {
      keeper.save('a', 'fit', bytes(n));
      keeper.save('a', 'dense', bytes(100 + n));
      keeper.save('b', 'fit', bytes(200 + n));
    }
    await keeper.drained();
    expect(store.done).toEqual(['save a/fit 1', 'save a/fit 9', 'save a/dense 109', 'save b/fit 209']);
    await keeper.drained();
  });

  it('are removed only when what they led to is durable, and are not saved after that', async () => {
    const store = new MemoryCheckpoints();
    const keeper = new CheckpointKeeper(store, unexpected);
    let becomeDurable = () => {};
    const durable = new Promise<void>((resolve) => {
      becomeDurable = resolve;
    });
    keeper.save('a', 'dense', bytes(1));
    keeper.save('a', 'fit', bytes(2));
    keeper.save('b', 'fit', bytes(3));
    keeper.remove('a', () => durable);
    const drained = keeper.drained();
    await expect.poll(() => store.done).toEqual(['save a/dense 1', 'save b/fit 3']);
    await new Promise((done) => setTimeout(done, 30));
    expect(store.kept.has('a/dense')).toBe(true);
    becomeDurable();
    await drained;
    expect(store.done).toEqual(['save a/dense 1', 'save b/fit 3', 'remove a']);
    expect([...store.kept.keys()]).toEqual(['b/fit']);
  });

  it('are gone though one was being saved when they were removed', async () => {
    const store = new MemoryCheckpoints(20);
    const keeper = new CheckpointKeeper(store, unexpected);
    keeper.save('a', 'fit', bytes(1));
    await new Promise((done) => setTimeout(done, 5));
    keeper.remove('a', now);
    keeper.save('ab', 'fit', bytes(2));
    await keeper.drained();
    expect(store.done).toEqual(['save a/fit 1', 'remove a', 'save ab/fit 2']);
    expect([...store.kept.keys()]).toEqual(['ab/fit']);
  });

  it('take a twentieth of the time of a slow store at most', async () => {
    const store = new MemoryCheckpoints(20);
    const keeper = new CheckpointKeeper(store, unexpected);
    for (const began = performance.now(); performance.now() - began < 1000; ) {
      keeper.save('a', 'fit', bytes(1));
      await new Promise((done) => setTimeout(done, 5));
    }
    // Each takes 20 ms and a pause of 380 ms: the third began after 800 ms.
    expect(store.done.length).toBeGreaterThanOrEqual(1);
    expect(store.done.length).toBeLessThanOrEqual(3);
    const began = performance.now();
    await keeper.drained();
    expect(performance.now() - began).toBeLessThan(380);
  });

  it('pause again after they were drained', async () => {
    const store = new MemoryCheckpoints(20);
    const keeper = new CheckpointKeeper(store, unexpected);
    keeper.save('a', 'fit', bytes(1));
    await keeper.drained();
    for (let n = 2; n < 40; n++) {
      keeper.save('a', 'fit', bytes(n));
      await new Promise((done) => setTimeout(done, 5));
    }
    expect(store.done.length).toBeLessThanOrEqual(2);
    await keeper.drained();
    expect(store.kept.get('a/fit')).toBe('39');
  });

  it('tell when one cannot be kept, and nothing more is kept then', async () => {
    const store = new MemoryCheckpoints();
    const failures: unknown[] = [];
    const keeper = new CheckpointKeeper(store, (error) => failures.push(error));
    const refusal = new Error('no space');
    keeper.remove('a', () => Promise.reject(refusal));
    keeper.save('b', 'fit', bytes(1));
    await keeper.drained();
    keeper.save('b', 'fit', bytes(2));
    await keeper.drained();
    expect(failures).toEqual([refusal]);
    expect(store.done).toEqual([]);
  });
});
