/** How fast this machine trains, from a small piece of the work. */
import { shareImages } from './data/images';
import { WasmEngine } from './engine/wasm';
import { initialise } from './initialise';
import { fullMasks, maskedParameters, zeroParameters } from './network';
import { prune } from './prune';
import { RandomStream } from './random';
import { epochSeconds, type Speed } from './work';

const SIZES = [784, 300, 100, 10];
const IMAGES = 1280;
const NON_ZERO_PERCENT = 19;
const SETTINGS = { batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 } as const;

/** Shortest of the epochs after the first two, in which the kernels are compiled. */
const EPOCHS = 6;

/**
 * Times 300-100 on made-up images with as many non-zero pixels as MNIST's, whole and at 2 % of its weights.
 * @returns seconds measured per second expected, for dense matrices and for lists of survivors; takes 0.2 s
 */
export function measureSpeed(): Speed {
  const stream = new RandomStream(0, 'speed');
  const images = {
    count: IMAGES,
    pixels: Uint8Array.from({ length: IMAGES * SIZES[0]! }, () => (stream.below(100) < NON_ZERO_PERCENT ? 128 : 0)),
    labels: Uint8Array.from({ length: IMAGES }, (_, image) => image % SIZES.at(-1)!),
  };
  const engine = new WasmEngine(shareImages(images, images, { inputs: SIZES[0]!, classes: SIZES.at(-1)! }, 0, 0));
  const order = stream.permutation(IMAGES);
  const start = initialise(SIZES, 1);
  const total = 266_200;
  const keep = total / 50;
  const recipe = { criterion: 'magnitude', scope: 'layer' } as const;
  const { masks } = prune(start.weights, fullMasks(SIZES), recipe, keep, stream);
  const data = { train: IMAGES, test: 0, nonZero: (NON_ZERO_PERCENT / 100) * SIZES[0]! };
  const measure = (masked: boolean) => {
    const seconds: number[] = [];
    let last = performance.now();
    engine.fit({
      sizes: SIZES,
      settings: { ...SETTINGS, epochs: EPOCHS },
      ...(masked ? { masks } : {}),
      start: {
        parameters: masked ? maskedParameters(start, masks) : start,
        first: zeroParameters(SIZES),
        second: zeroParameters(SIZES),
        epoch: 0,
      },
      order: () => order,
      onEpoch: () => {
        const now = performance.now();
        seconds.push((now - last) / 1000);
        last = now;
      },
    });
    return Math.min(...seconds.slice(2)) / epochSeconds(SIZES, SETTINGS.batchSize, masked ? keep : total, data);
  };
  return { dense: measure(false), sparse: measure(true) };
}
