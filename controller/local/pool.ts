/** Fans lineages out over worker threads; their records reach the ledger before they go on. */
import { Worker } from 'node:worker_threads';
import type { Progress } from '../../bus/bus';
import type { Assignment, FromWorker, ToWorker } from '../../bus/messages';
import type { TrialRecord } from '../../sweep/record';

export interface PoolEvents {
  /** Makes the record durable before it returns. */
  record(record: TrialRecord): void;
  progress(progress: Progress, worker: number): void;
  failed(trials: string[], reason: string): void;
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
 * Works off the assignments, first come first served, and resolves when all workers are done.
 * @param file the worker's program
 * @param dataOf what a worker (1 for the first) gets as its `workerData`
 */
export async function runPool(
  file: string,
  workers: number,
  assignments: readonly Assignment[],
  dataOf: (worker: number) => unknown,
  events: PoolEvents,
): Promise<void> {
  const queue = [...assignments];
  const count = Math.min(workers, assignments.length);
  const threads: Worker[] = [];
  const runWorker = (worker: number) =>
    new Promise<void>((resolve, reject) => {
      const thread = new Worker(file, { workerData: dataOf(worker) });
      threads.push(thread);
      const send = (message: ToWorker) => thread.postMessage(message);
      const receive = (message: FromWorker): void => {
        switch (message.kind) {
          case 'ready': {
            const assignment = events.stop() ? undefined : queue.shift();
            if (assignment === undefined) resolve();
            else send({ kind: 'assignment', assignment });
            break;
          }
          case 'record':
            events.record(message.record);
            send({ kind: 'recorded', id: message.record.id });
            break;
          case 'progress':
            events.progress(message.progress, worker);
            break;
          case 'failed':
            events.failed(message.trials, message.reason);
            break;
          case 'error':
            reject(new WorkerError(message.name, message.message, message.exitCode));
        }
      };
      thread.on('message', (message: FromWorker) => {
        try {
          receive(message);
        } catch (error) {
          reject(error);
        }
      });
      thread.on('error', reject);
      thread.on('exit', (code) => reject(new Error(`worker ${worker} ended with code ${code}`)));
    });
  try {
    await Promise.all([...Array(count).keys()].map((index) => runWorker(index + 1)));
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
