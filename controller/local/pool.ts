/** Fans lineages out over worker threads; their records reach the ledger before they go on. */
import { Worker } from 'node:worker_threads';
import type { Checkpoints, Progress } from '../../bus/bus';
import type { Assignment, FromWorker, ToWorker } from '../../bus/messages';
import type { TrialRecord } from '../../sweep/record';
import type { Lineage, Trial } from '../../sweep/trial';
import { CheckpointKeeper } from './keeper';

export interface PoolEvents {
  /** Its lineage goes on when this resolves. */
  record(record: TrialRecord): Promise<void>;
  /** Resolves when every record that was handed over is durable. */
  durable(): Promise<void>;
  progress(progress: Progress): void;
  failed(trials: string[], reason: string): Promise<void>;
  /** Told of the lineages at work, when they change. */
  atWork?(lineages: string[]): void;
  /** No further lineage is handed out once this is true. */
  stop(): boolean;
}

/** A worker thread ended with an error that is known to it, and says which exit code the process should end with. */
class WorkerError extends Error {
  constructor(
    name: string,
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
    this.name = name;
  }
}

/**
 * Works off the lineages, first come first served, and resolves when all is done and durable.
 * @param file the worker's program
 * @param dataOf what a worker (1 for the first) begins with. Asked for once its thread is starting: that takes 0.1 s, and so
 *   does much of what is asked for
 * @param isDone whether a trial needs no work
 */
export async function runPool(
  file: string,
  workers: number,
  lineages: readonly Lineage[],
  isDone: (trial: Trial) => boolean,
  dataOf: (worker: number) => unknown,
  checkpoints: Checkpoints,
  events: PoolEvents,
): Promise<void> {
  const queue = [...lineages];
  const count = Math.min(workers, lineages.length);
  const threads: Worker[] = [];
  const atWork = new Set<string>();
  let giveUp: (error: unknown) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  const keeper = new CheckpointKeeper(checkpoints, (error) => giveUp(error));

  const nextAssignment = async (slot: number, ended: string | undefined): Promise<Assignment | undefined> => {
    const lineage = events.stop() ? undefined : queue.shift();
    if (ended !== undefined) atWork.delete(ended);
    if (lineage !== undefined) atWork.add(lineage.id);
    events.atWork?.([...atWork]);
    if (lineage === undefined) return undefined;
    const done = lineage.chains.flat().filter(isDone);
    return { slot, lineage, done: done.map(({ id }) => id), checkpoints: await checkpoints.load(lineage.id) };
  };
  const runWorker = (worker: number) =>
    new Promise<void>((resolve, reject) => {
      const thread = new Worker(file);
      threads.push(thread);
      const send = (message: ToWorker) => thread.postMessage(message);
      const own = new Set<string>();
      const receive = async (message: FromWorker): Promise<void> => {
        switch (message.kind) {
          case 'ready': {
            const { slot, ended } = message;
            const assignment = await nextAssignment(slot, ended);
            if (ended !== undefined) own.delete(ended);
            if (assignment !== undefined) {
              own.add(assignment.lineage.id);
              send({ kind: 'assignment', assignment });
              break;
            }
            send({ kind: 'nothing', slot });
            if (own.size === 0) resolve();
            break;
          }
          case 'record':
            await events.record(message.record);
            send({ kind: 'recorded', id: message.record.id });
            break;
          case 'progress':
            events.progress(message.progress);
            break;
          case 'checkpoint':
            keeper.save(message.lineage, message.name, message.bytes);
            break;
          case 'complete':
            keeper.remove(message.lineage, () => events.durable());
            break;
          case 'failed':
            await events.failed(message.trials, message.reason);
            break;
          case 'stopped':
            own.delete(message.lineage);
            if (own.size === 0) resolve();
            break;
          case 'error':
            throw new WorkerError(message.name, message.message, message.exitCode);
        }
      };
      // One message after the other: what failed is known before its worker asks for more.
      let received = Promise.resolve();
      thread.on('message', (message: FromWorker) => {
        received = received.then(() => receive(message)).catch(reject);
      });
      thread.on('error', reject);
      thread.on('exit', (code) => reject(new Error(`worker ${worker} ended with code ${code}`)));
      send({ kind: 'begin', data: dataOf(worker) });
    });
  try {
    const all = Promise.all([...Array(count).keys()].map((index) => runWorker(index + 1)));
    await Promise.race([all, broken]);
    await Promise.race([Promise.all([events.durable(), keeper.drained()]), broken]);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
