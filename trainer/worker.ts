/** A worker thread: trains the lineages that the pool hands it, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
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

const port = parentPort;
if (port === null) throw new Error('this file is the body of a worker thread');
const { worker, images, networks, versions, stopping } = workerData as WorkerData;
const send = (message: FromWorker) => port.postMessage(message);
const bus = new PortBus(port);
const engine = new WasmEngine(images);

async function work({ lineage, done, checkpoints }: Assignment): Promise<void> {
  const isDone = new Set(done);
  await trainLineage(lineage, {
    ...{ engine, bus, worker, versions },
    secondsBetweenCheckpoints: SECONDS_BETWEEN_CHECKPOINTS,
    checkpoints: new PortCheckpoints(port!, lineage.id, checkpoints),
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

port.on('message', (message: ToWorker) => {
  if (message.kind !== 'assignment') return;
  work(message.assignment).then(
    () => send({ kind: 'ready' }),
    (error: Error & { exitCode?: number }) => {
      if (error instanceof Stopped) return send({ kind: 'stopped' });
      const known = error.exitCode !== undefined;
      const text = known ? error.message : (error.stack ?? error.message);
      send({ kind: 'error', name: error.name, message: text, exitCode: error.exitCode ?? 70 });
    },
  );
});
send({ kind: 'ready' });
