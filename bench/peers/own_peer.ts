/** This project's engine behind the same protocol as the Python peers (see peer.py). */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadDataset } from '../../trainer/data/dataset';
import type { FitSettings, FitState } from '../../trainer/engine/engine';
import { WasmEngine } from '../../trainer/engine/wasm';
import { parseNetwork } from '../../trainer/kept';
import { type Masks, survivors, zeroParameters } from '../../trainer/network';
import { RandomStream } from '../../trainer/random';

interface Order {
  do: 'load' | 'epoch' | 'epochs' | 'evaluate';
  key: string;
  file: string;
  masked: boolean;
  sizes: number[];
  epochs: number;
  settings?: Partial<FitSettings>;
}

interface Loaded {
  sizes: number[];
  masks?: Masks;
  state: FitState;
}

const images = loadDataset({ name: 'mnist', validation: 0 });
const engine = new WasmEngine(images);
const networks = new Map<string, Loaded>();
type Settings = Omit<FitSettings, 'epochs'>;
const SETTINGS: Settings = {
  ...{ batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
};

function load({ key, file, masked, sizes }: Order): object {
  const parameters = parseNetwork(readFileSync(file), sizes, file);
  const state = { parameters, first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 };
  networks.set(key, masked ? { sizes, state, masks: survivors(parameters) } : { sizes, state });
  return {};
}

/** Trains on from where the network is. @returns where it is then, and each epoch's seconds and loss */
function train({ sizes, masks, state }: Loaded, settings: Settings, epochs: number) {
  const done: { seconds: number; loss: number }[] = [];
  let last = performance.now();
  const end = engine.fit({
    sizes,
    settings: { ...settings, epochs: state.epoch + epochs },
    ...(masks === undefined ? {} : { masks }),
    start: state,
    order: (number) => new RandomStream(1, 'order', number).permutation(images.subsets.train.count),
    onEpoch: ({ loss }) => {
      const now = performance.now();
      done.push({ seconds: (now - last) / 1000, loss });
      last = now;
    },
  });
  return { end, done };
}

/** Trains two epochs and times the second, as it would go on within a longer training. */
function epoch({ key, settings }: Order): object {
  const network = networks.get(key)!;
  const { end, done } = train(network, { ...SETTINGS, ...settings }, 2);
  // Another optimizer's epochs are timed and forgotten.
  if (settings === undefined) network.state = end;
  return done[1]!;
}

/** The seconds of each of `epochs` from where the network is, which stays there: the same numbers every time. */
function epochs({ key, epochs }: Order): object {
  return { seconds: train(networks.get(key)!, SETTINGS, epochs).done.map(({ seconds }) => seconds) };
}

function evaluate({ key }: Order): object {
  const { sizes, state } = networks.get(key)!;
  const began = performance.now();
  const { correct } = engine.evaluate(sizes, state.parameters, 'test');
  return { seconds: (performance.now() - began) / 1000, correct };
}

const actions = { load, epoch, epochs, evaluate };
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as Order;
  process.stdout.write(`${JSON.stringify(actions[order.do](order))}\n`);
});
