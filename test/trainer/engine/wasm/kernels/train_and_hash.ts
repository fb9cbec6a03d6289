/** Trains small networks, dense and pruned, with each optimizer, and prints the hash of all that they became. */
import { createHash } from 'node:crypto';
import { WasmEngine } from '../../../../../trainer/engine/wasm';
import { HAS_FUSED_MULTIPLY_ADD } from '../../../../../trainer/engine/wasm/machine';
import { initialise } from '../../../../../trainer/initialise';
import { maskedParameters, zeroParameters } from '../../../../../trainer/network';
import { RandomStream } from '../../../../../trainer/random';
import { randomImages } from '../../reference';

const sizes = [100, 60, 30, 5];
const { shared } = randomImages(100, 5, { train: 600, test: 100 });
const hash = createHash('sha256');
for (const optimizer of ['adam', 'sgd'] as const)
  for (const share of [1, 0.5, 0.1, 0.02]) {
    const stream = new RandomStream(3, 'masks');
    const masks = zeroParameters(sizes).weights.map((layer) =>
      Uint8Array.from(layer, () => (stream.below(1000) < share * 1000 ? 1 : 0)),
    );
    const [first, second] = [zeroParameters(sizes), zeroParameters(sizes)];
    const learningRate = optimizer === 'adam' ? 0.001 : 0.1;
    const state = new WasmEngine(shared).fit({
      sizes,
      settings: { epochs: 3, batchSize: 50, optimizer, learningRate, momentum: 0.9, l1: 1e-5, l2: 1e-4 },
      masks,
      start: { parameters: maskedParameters(initialise(sizes, 1), masks), first, second, epoch: 0 },
      order: (epoch) => new RandomStream(1, 'order', epoch).permutation(600),
    });
    for (const { weights, biases } of [state.parameters, state.first, state.second])
      for (const array of [...weights, ...biases])
        hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
process.stdout.write(JSON.stringify({ fused: HAS_FUSED_MULTIPLY_ADD, hash: hash.digest('hex') }));
