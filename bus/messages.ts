/** The bus of one process: a worker thread and its pool talk in these messages. */
import type { MessagePort } from 'node:worker_threads';
import type { TrialRecord } from '../sweep/record';
import type { Lineage } from '../sweep/trial';
import type { Bus, CheckpointName, LineageCheckpoints, Progress } from './bus';

/** What the pool hands to a worker: a lineage, which of its trials need no work, and what there is to go on from. */
export interface Assignment {
  /** Of the worker, which works on a lineage in each of its slots. */
  slot: number;
  lineage: Lineage;
  done: string[];
  checkpoints: ReadonlyMap<CheckpointName, Uint8Array>;
}

export type ToWorker =
  /** The first: what the worker's program begins with. */
  | { kind: 'begin'; data: unknown }
  | { kind: 'assignment'; assignment: Assignment }
  /** There is no further lineage for the slot. */
  | { kind: 'nothing'; slot: number }
  | { kind: 'recorded'; id: string };

export type FromWorker =
  /** `ended` is the lineage that the slot has done. */
  | { kind: 'ready'; slot: number; ended?: string }
  | { kind: 'record'; record: TrialRecord }
  | { kind: 'progress'; progress: Progress }
  | { kind: 'checkpoint'; lineage: string; name: CheckpointName; bytes: Uint8Array }
  | { kind: 'complete'; lineage: string }
  | { kind: 'failed'; trials: string[]; reason: string }
  /** As it was asked to; what it goes on from was sent before. */
  | { kind: 'stopped'; lineage: string }
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

/** A worker's side: it starts with what it was handed, and the pool keeps what it puts. */
export class PortCheckpoints implements LineageCheckpoints {
  constructor(
    private readonly port: MessagePort,
    private readonly lineage: string,
    private readonly begun: ReadonlyMap<CheckpointName, Uint8Array>,
  ) {}

  get(name: CheckpointName): Uint8Array | undefined {
    return this.begun.get(name);
  }

  put(name: CheckpointName, bytes: Uint8Array): void {
    const message = { kind: 'checkpoint', lineage: this.lineage, name, bytes } satisfies FromWorker;
    // Given away rather than copied, but for small ones, which lie beside others in one buffer.
    const isAlone = bytes.length > 0 && bytes.length === bytes.buffer.byteLength;
    this.port.postMessage(message, isAlone ? [bytes.buffer as ArrayBuffer] : []);
  }

  clear(): void {
    this.port.postMessage({ kind: 'complete', lineage: this.lineage } satisfies FromWorker);
  }
}
