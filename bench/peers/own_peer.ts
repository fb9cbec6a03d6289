/** This project's engine behind the same protocol as the Python peers (see peer.py). */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadDataset } from '../../trainer/data/dataset';
import type { FitState } from '../../trainer/engine/engine';
import { WasmEngine } from '../../trainer/engine/wasm';
import { parseNetwork } from '../../trainer/kept';
import { type Masks, survivors, zeroParameters } from '../../trainer/network';
import { RandomStream } from '../../trainer/random';

interface Order {
  do: 'load' | 'epoch' | 'evaluate';
  key: string;
  file: string;
  masked: boolean;
  sizes: number[];
}

interface Loaded {
  sizes: number[];
  masks?: Masks;
  state: FitState;
}

const images = loadDataset({ name: 'mnist', validation: 0 });
const engine = new WasmEngine(images);
const networks = new Map<string, Loaded>();
const settings = { batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 } as const;

function load({ key, file, masked, sizes }: Order): object {
  const parameters = parseNetwork(readFileSync(file), sizes, file);
  const state = { parameters, first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 };
  networks.set(key, masked ? { sizes, state, masks: survivors(parameters) } : { sizes, state });
  return {};
}

/** Trains two epochs and times the second, as it would go on within a longer training. */
function epoch({ key }: Order): object {
  const network = networks.get(key)!;
  const news: { at: number; loss: number }[] = [];
  network.state = engine.fit({
    sizes: network.sizes,
    settings: { ...settings, epochs: network.state.epoch + 2 },
    ...(network.masks === undefined ? {} : { masks: network.masks }),
    start: network.state,
    order: (number) => new RandomStream(1, 'order', number).permutation(images.subsets.train.count),
    onEpoch: ({ loss }) => news.push({ at: performance.now(), loss }),
  });
  return { seconds: (news[1]!.at - news[0]!.at) / 1000, loss: news[1]!.loss };
}

function evaluate({ key }: Order): object {
  const { sizes, state } = networks.get(key)!;
  const began = performance.now();
  const { correct } = engine.evaluate(sizes, state.parameters, 'test');
  return { seconds: (performance.now() - began) / 1000, correct };
}

const actions = { load, epoch, evaluate };
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as Order;
  process.stdout.write(`${JSON.stringify(actions[order.do](order))}\n`);
});
