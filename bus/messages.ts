/** The bus of one process: a worker thread and its pool talk in these messages. */
import type { MessagePort } from 'node:worker_threads';
import type { TrialRecord } from '../sweep/record';
import type { Lineage } from '../sweep/trial';
import type { Bus, Progress } from './bus';

/** What the pool hands to a worker: a lineage, and which of its trials need no work. */
export interface Assignment {
  lineage: Lineage;
  done: string[];
}

export type ToWorker = { kind: 'assignment'; assignment: Assignment } | { kind: 'recorded'; id: string };

export type FromWorker =
  | { kind: 'ready' }
  | { kind: 'record'; record: TrialRecord }
  | { kind: 'progress'; progress: Progress }
  | { kind: 'failed'; trials: string[]; reason: string }
  | { kind: 'error'; name: string; message: string; exitCode: number };

/** A worker's side: a record is published when the pool has answered for it. */
export class PortBus implements Bus {
  private readonly waiting = new Map<string, () => void>();

  constructor(private readonly port: MessagePort) {
    port.on('message', (message: ToWorker) => {
      if (message.kind !== 'recorded') return;
      this.waiting.get(message.id)?.();
      this.waiting.delete(message.id);
    });
  }

  publish(record: TrialRecord): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.set(record.id, resolve);
      this.port.postMessage({ kind: 'record', record } satisfies FromWorker);
    });
  }

  progress(progress: Progress): void {
    this.port.postMessage({ kind: 'progress', progress } satisfies FromWorker);
  }
}
