/** A worker thread: trains the lineages that the pool hands it, one after another. */
import { parentPort } from 'node:worker_threads';
import { writeFileDurably } from '../bus/files';
import { type Assignment, type FromWorker, PortBus, PortCheckpoints, type ToWorker } from '../bus/messages';
import type { Trial } from '../sweep/trial';
import type { SharedImages } from './data/images';
import { WasmEngine } from './engine/wasm';
import { networkBytes, networkPath } from './kept';
import { Stopped, trainLineage } from './lineage';
import type { Parameters } from './network';

export interface WorkerData {
  worker: number;
  images: SharedImages;
  /** Folder for the networks of all trials; absent when they are not kept. */
  networks?: string;
  versions: Record<string, string>;
  /** One number, shared with those who may ask the worker to end: not zero when it is to. */
  stopping: Int32Array<SharedArrayBuffer>;
}

/** A checkpoint of 300-100 takes some 10 ms: one a second costs a hundredth at most. */
const SECONDS_BETWEEN_CHECKPOINTS = 1;

if (parentPort === null) throw new Error('this file is the body of a worker thread');
const port = parentPort;
const send = (message: FromWorker) => port.postMessage(message);
const bus = new PortBus(port);

function begin({
  worker,
  images,
  networks,
  versions,
  stopping,
}: WorkerData): (assignment: Assignment) => Promise<void> {
  const engine = new WasmEngine(images);
  return async ({ lineage, done, checkpoints }) => {
    const isDone = new Set(done);
    await trainLineage(lineage, {
      ...{ engine, bus, worker, versions },
      secondsBetweenCheckpoints: SECONDS_BETWEEN_CHECKPOINTS,
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
  };
}

let work: ReturnType<typeof begin>;
port.on('message', async (message: ToWorker) => {
  try {
    if (message.kind === 'recorded') return;
    if (message.kind === 'begin') work = begin(message.data as WorkerData);
    else await work(message.assignment);
    send({ kind: 'ready' });
  } catch (thrown) {
    if (thrown instanceof Stopped) return send({ kind: 'stopped' });
    const error = thrown as Error & { exitCode?: number };
    const known = error.exitCode !== undefined;
    const text = known ? error.message : (error.stack ?? error.message);
    send({ kind: 'error', name: error.name, message: text, exitCode: error.exitCode ?? 70 });
  }
});
