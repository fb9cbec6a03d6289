import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Ledger } from '../../bus/bus';
import { FileLedger } from '../../bus/ledger';
import { PublishQueue } from '../../bus/queue';
import { gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';

const records = gridPoints(sweepOf({ seeds: 8 }).spec, MNIST).map((point, index) => recordOf(point, 9000 + index));

/** A ledger in a file that takes a record when it is told to. */
class SlowLedger implements Pick<Ledger, 'publish'> {
  readonly ledger = new FileLedger(join(temporaryFolder(), 'ledger.ndjson'));
  private readonly waiting: { record: TrialRecord; settle(error?: Error): void }[] = [];
  /** Of those that it was given at the same time. */
  most = 0;

  constructor() {
    onTestFinished(() => this.ledger.close());
  }

  publish(record: TrialRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => (error === undefined ? resolve(this.ledger.publish(record)) : reject(error));
      this.most = Math.max(this.most, this.waiting.push({ record, settle }));
    });
  }

  get ids(): string[] {
    return [...this.ledger.records.keys()];
  }

  /** Takes the next record, or fails. */
  async next(error?: Error): Promise<void> {
    await expect.poll(() => this.waiting.length).toBe(1);
    this.waiting.shift()!.settle(error);
  }
}

const ids = (count: number) => records.slice(0, count).map(({ id }) => id);
/** Long enough that no test reaches it. */
const FOR_EVER = 1_000_000;

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, new Promise<boolean>((done) => setImmediate(() => setImmediate(() => done(false))))]);
}

describe('records that wait for a slow ledger', () => {
  it('come to it in order and one at a time; each holds its lineage up until it is durable', async () => {
    const slow = new SlowLedger();
    const queue = new PublishQueue(slow, FOR_EVER);
    const published = records.slice(0, 5).map((record) => queue.publish(record));
    for (const [at, promise] of published.entries()) {
      expect(await isSettled(promise)).toBe(false);
      await slow.next();
      await promise;
      expect(slow.ids).toEqual(ids(at + 1));
    }
    expect(slow.most).toBe(1);
  });

  it('let the lineage go on after a while that grows with what waits', async () => {
    const queue = new PublishQueue(new SlowLedger(), 40);
    const waits = [];
    for (const record of records.slice(0, 5)) {
      const began = performance.now();
      await queue.publish(record);
      waits.push(performance.now() - began);
    }
    // A timer may be a millisecond early.
    for (const [at, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(40 * (at + 1) - 2);
  });

  it('hold everybody up when there are sixteen, until there is room', async () => {
    const slow = new SlowLedger();
    const queue = new PublishQueue(slow, 0);
    for (const record of records.slice(0, 15)) await queue.publish(record);
    const held = queue.publish(records[15]!);
    await new Promise((done) => setTimeout(done, 50));
    expect(await isSettled(held)).toBe(false);
    for (let taken = 0; taken < 15; taken++) await slow.next();
    expect(await isSettled(held)).toBe(false);
    await slow.next();
    await held;
    expect(slow.ids).toEqual(ids(16));
    await queue.publish(records[16]!);
  });

  it('are all durable when it is drained', async () => {
    const slow = new SlowLedger();
    const queue = new PublishQueue(slow, 0);
    await queue.drained();
    for (const record of records.slice(0, 3)) await queue.publish(record);
    const drained = queue.drained();
    for (let taken = 0; taken < 3; taken++) {
      expect(await isSettled(drained)).toBe(false);
      await slow.next();
    }
    await drained;
    expect(slow.ids).toEqual(ids(3));
  });

  it('tell who published, who publishes next, and who drains, what the ledger said against one', async () => {
    const slow = new SlowLedger();
    const queue = new PublishQueue(slow, FOR_EVER);
    const published = queue.publish(records[0]!);
    await slow.next(new Error('measured twice'));
    await expect(published).rejects.toThrow('measured twice');
    await expect(queue.publish(records[1]!)).rejects.toThrow('measured twice');
    await expect(queue.drained()).rejects.toThrow('measured twice');
    expect(slow.ids).toEqual([]);
  });

  it('tell the next one though the lineage of the failed one had gone on', async () => {
    const slow = new SlowLedger();
    const queue = new PublishQueue(slow, 0);
    await queue.publish(records[0]!);
    await slow.next(new Error('measured twice'));
    await new Promise((done) => setImmediate(done));
    await expect(queue.publish(records[1]!)).rejects.toThrow('measured twice');
    await expect(queue.drained()).rejects.toThrow('measured twice');
  });
});
