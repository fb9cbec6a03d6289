/** A worker thread: trains the lineages that the pool hands it, in each of its slots one after another. */
import { parentPort } from 'node:worker_threads';
import { writeFileDurably } from '../bus/files';
import { type Assignment, type FromWorker, PortBus, PortCheckpoints, type ToWorker } from '../bus/messages';
import type { Part } from '../sweep/packs';
import type { Trial } from '../sweep/trial';
import type { SharedImages } from './data/images';
import type { Engine } from './engine/engine';
import { WasmEngine } from './engine/wasm';
import { networkBytes, networkPath } from './kept';
import { Stopped, trainLineage } from './lineage';
import type { Parameters } from './network';

export interface WorkerData {
  worker: number;
  images: SharedImages;
  /** TensorFlow for Node, and how many lineages train together; absent for the wasm engine. */
  tfjs?: { path: string; together: number };
  /** What of its lineages is done here; all when absent. */
  part?: Part;
  /** Folder for the networks of all trials; absent when they are not kept. */
  networks?: string;
  versions: Record<string, string>;
  /** One number, shared with those who may ask the worker to end: not zero when it is to. */
  stopping: Int32Array<SharedArrayBuffer>;
}

/**
 * A checkpoint of 300-100 takes some 10 ms: one a second costs a hundredth, and no more than a tenth where lineages train
 * together, all of which make theirs after the same epoch.
 */
const secondsBetweenCheckpoints = (together: number) => Math.max(1, together / 10);

if (parentPort === null) throw new Error('this file is the body of a worker thread');
const port = parentPort;
const send = (message: FromWorker) => port.postMessage(message);
const bus = new PortBus(port);

/** A slot's way to the engine, which others may share. */
type Seat = Engine & { leave?(): void };

/** A wasm engine has one slot; in tfjs' the lineages of all slots train together. */
function seatsOf({ images, tfjs }: WorkerData): Seat[] {
  if (tfjs === undefined) return [new WasmEngine(images)];
  const { Pack } = require('./engine/tfjs/pack') as typeof import('./engine/tfjs/pack');
  const { TfjsEngine } = require('./engine/tfjs') as typeof import('./engine/tfjs');
  const { loadTfjs } = require('./engine/tfjs/binding') as typeof import('./engine/tfjs/binding');
  const pack = new Pack(new TfjsEngine(images, loadTfjs([tfjs.path]).backend().binding));
  return Array.from({ length: tfjs.together }, () => pack.join());
}

async function work(
  { lineage, done, checkpoints }: Assignment,
  engine: Engine,
  { worker, images, tfjs, part, networks, versions, stopping }: WorkerData,
): Promise<void> {
  const isDone = new Set(done);
  await trainLineage(lineage, {
    ...{ engine, bus, worker, versions },
    ...(part === undefined ? {} : { part }),
    secondsBetweenCheckpoints: secondsBetweenCheckpoints(tfjs?.together ?? 1),
    checkpoints: new PortCheckpoints(port, lineage.id, checkpoints),
    images: {
      train: images.subsets.train.count,
      validation: images.subsets.validation !== undefined,
      probe: images.probe,
    },
    isDone: (trial) => isDone.has(trial.id),
    isStopping: () => Atomics.load(stopping, 0) !== 0,
    ...(networks === undefined
      ? {}
      : {
          keepNetwork: (trial: Trial, parameters: Parameters) =>
            writeFileDurably(networkPath(networks, trial.id), networkBytes(parameters, lineage.sizes)),
        }),
    failed: (trials, reason) => send({ kind: 'failed', trials: trials.map(({ id }) => id), reason }),
  });
}

function tell(thrown: unknown): void {
  const error = thrown as Error & { exitCode?: number };
  const known = error.exitCode !== undefined;
  const text = known ? error.message : (error.stack ?? error.message);
  send({ kind: 'error', name: error.name, message: text, exitCode: error.exitCode ?? 70 });
}

let data: WorkerData;
let seats: Seat[];

async function receive(message: ToWorker): Promise<void> {
  if (message.kind === 'begin') {
    data = message.data as WorkerData;
    seats = seatsOf(data);
    for (const slot of seats.keys()) send({ kind: 'ready', slot });
  }
  if (message.kind === 'nothing') seats[message.slot]!.leave?.();
  if (message.kind !== 'assignment') return;
  const { slot, lineage } = message.assignment;
  try {
    await work(message.assignment, seats[slot]!, data);
    send({ kind: 'ready', slot, ended: lineage.id });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    seats[slot]!.leave?.();
    send({ kind: 'stopped', lineage: lineage.id });
  }
}

port.on('message', (message: ToWorker) => {
  receive(message).catch(tell);
});
