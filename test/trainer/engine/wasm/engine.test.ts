import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shareImages } from '../../../../trainer/data/images';
import { Diverged, type FitSettings } from '../../../../trainer/engine/engine';
import { WasmEngine } from '../../../../trainer/engine/wasm';
import { initialise } from '../../../../trainer/initialise';
import { type Masks, maskedParameters, type Parameters, zeroParameters } from '../../../../trainer/network';
import { RandomStream } from '../../../../trainer/random';
import {
  asInputs,
  crossEntropy,
  distance,
  forward,
  gradient,
  type ReferenceNetwork,
  randomImages,
  readMnist,
  train,
  widened,
} from '../reference';

const adam: FitSettings = {
  epochs: 1,
  batchSize: 128,
  optimizer: 'adam',
  learningRate: 1e-3,
  momentum: 0,
  l1: 0,
  l2: 0,
};
const sgd: FitSettings = { ...adam, optimizer: 'sgd', learningRate: 0.1, momentum: 0.9 };

const fresh = (sizes: readonly number[], parameters: Parameters) => ({
  parameters,
  first: zeroParameters(sizes),
  second: zeroParameters(sizes),
  epoch: 0,
});

/** Survivors at random, a given share of each layer, at least one. */
function randomMasks(sizes: readonly number[], share: number, seed = 5): Masks {
  const stream = new RandomStream(seed, 'masks');
  return zeroParameters(sizes).weights.map((layer) => {
    const mask = Uint8Array.from(layer, () => (stream.below(10000) < 10000 * share ? 1 : 0));
    mask[stream.below(mask.length)] = 1;
    return mask;
  });
}

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

describe('the reference that kernels are held against', () => {
  it('has the gradient that finite differences give', () => {
    const sizes = [6, 5, 4, 3];
    const { train: images } = randomImages(6, 3, { train: 9, test: 3 }, 0.8);
    const batch = asInputs(images, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const network = widened(initialise(sizes, 3));
    // Away from the kinks: with biases of 0, an image without pixels would sit on all of them.
    for (const biases of network.biases) for (const i of biases.keys()) biases[i] = 0.1 + 0.05 * i;
    const loss = (at: ReferenceNetwork) =>
      batch.reduce((sum, { inputs, label }) => sum + crossEntropy(forward(sizes, at, inputs).at(-1)!, label), 0) / 9;
    const slope = gradient(sizes, network, batch);
    for (const part of ['weights', 'biases'] as const)
      for (const [l, values] of network[part].entries())
        for (let i = 0; i < values.length; i++) {
          const kept = values[i]!;
          values[i] = kept + 1e-6;
          const above = loss(network);
          values[i] = kept - 1e-6;
          const below = loss(network);
          values[i] = kept;
          expect(slope[part][l]![i]).toBeCloseTo((above - below) / 2e-6, 7);
        }
  });
});

describe('a step of the engine', () => {
  const shapes = [
    [784, 37, 11, 5, 10],
    [20, 1, 2],
    [400, 60, 3],
    [9, 8, 4, 2],
    [300, 130, 70, 256],
    [5, 3, 3, 3, 3, 3, 7],
  ];
  const settings: Record<string, FitSettings> = {
    adam: adam,
    'adam with l1 and l2': { ...adam, l1: 1e-4, l2: 1e-3 },
    'sgd with momentum': sgd,
    'sgd with l1 and l2': { ...sgd, momentum: 0, l1: 1e-4, l2: 1e-3 },
  };
  const shares = { 'all weights': undefined, 'half of the weights': 0.5, 'a tenth': 0.1, '2 %': 0.02 };
  for (const sizes of shapes)
    for (const [optimiser, setting] of Object.entries(settings))
      for (const [survivors, share] of Object.entries(shares))
        it(`agrees with float64: ${sizes.join('-')}, ${optimiser}, ${survivors}`, () => {
          const count = 75;
          const { train: images, shared } = randomImages(sizes[0]!, sizes.at(-1)!, {
            train: Math.max(count, 260),
            test: 4,
          });
          const masks = share === undefined ? undefined : randomMasks(sizes, share);
          const start = masks === undefined ? initialise(sizes, 1) : maskedParameters(initialise(sizes, 1), masks);
          const batchSize = 50;
          const order = new RandomStream(1, 'order').permutation(images.count);
          const fit = { sizes, settings: { ...setting, batchSize }, start: fresh(sizes, start), order: () => order };
          const { parameters } = new WasmEngine(shared).fit(masks === undefined ? fit : { ...fit, masks });
          const batches = chunks(asInputs(images, order), batchSize);
          const expected = train(sizes, start, setting, batches, masks);
          expect(distance(parameters, expected, start)).toBeLessThan(2e-4);
        });

  it.each([
    ['65,536 inputs', [65536, 5, 3]],
    ['a layer of 3,000 units', [30, 3000, 9, 3]],
  ])('agrees with float64: %s, whole, masked and as lists', (_, sizes) => {
    const { train: images, shared } = randomImages(sizes[0]!, 3, { train: 24, test: 3 });
    const order = new RandomStream(1, 'order').permutation(24);
    for (const share of [undefined, 0.5, 0.1]) {
      const masks = share === undefined ? undefined : randomMasks(sizes, share);
      const start = masks === undefined ? initialise(sizes, 1) : maskedParameters(initialise(sizes, 1), masks);
      const settings = { ...adam, batchSize: 10 };
      const fit = { sizes, settings, start: fresh(sizes, start), order: () => order };
      const { parameters } = new WasmEngine(shared).fit(masks === undefined ? fit : { ...fit, masks });
      const expected = train(sizes, start, adam, chunks(asInputs(images, order), 10), masks);
      expect(distance(parameters, expected, start)).toBeLessThan(2e-4);
    }
  });

  it.each([
    ['the first', [0]],
    ['the last', [2]],
    ['all', [0, 1, 2]],
  ])('agrees with float64 without the ReLU of %s hidden layer, whole, masked and as lists', (_, linear) => {
    const sizes = [120, 33, 70, 11, 5];
    const { train: images, shared } = randomImages(120, 5, { train: 200, test: 5 });
    const order = new RandomStream(1, 'order').permutation(200);
    for (const setting of [adam, { ...sgd, l1: 1e-4, l2: 1e-3 }])
      for (const share of [undefined, 0.5, 0.1]) {
        const masks = share === undefined ? undefined : randomMasks(sizes, share);
        const start = masks === undefined ? initialise(sizes, 1) : maskedParameters(initialise(sizes, 1), masks);
        const settings = { ...setting, batchSize: 50 };
        const fit = { sizes, settings, linear, start: fresh(sizes, start), order: () => order };
        const { parameters } = new WasmEngine(shared).fit(masks === undefined ? fit : { ...fit, masks });
        const expected = train(sizes, start, setting, chunks(asInputs(images, order), 50), masks, linear);
        expect(distance(parameters, expected, start)).toBeLessThan(2e-4);
        const withRelu = train(sizes, start, setting, chunks(asInputs(images, order), 50), masks);
        expect(distance(parameters, withRelu, start)).toBeGreaterThan(1e-2);
      }
  });

  it('agrees with float64 when whole layers are pruned away', () => {
    const sizes = [60, 12, 9, 7, 3];
    const { train: images, shared } = randomImages(60, 3, { train: 200, test: 3 });
    const order = new RandomStream(1, 'order').permutation(200);
    for (const empty of [0, 1, 2, 3])
      for (const setting of [adam, { ...sgd, l1: 1e-4, l2: 1e-3 }]) {
        const masks = randomMasks(sizes, 0.2).map((mask, l) => (l === empty ? mask.fill(0) : mask));
        const start = maskedParameters(initialise(sizes, 1), masks);
        const fit = {
          sizes,
          settings: { ...setting, batchSize: 50 },
          masks,
          start: fresh(sizes, start),
          order: () => order,
        };
        const { parameters } = new WasmEngine(shared).fit(fit);
        const expected = train(sizes, start, setting, chunks(asInputs(images, order), 50), masks);
        expect(distance(parameters, expected, start)).toBeLessThan(2e-4);
      }
  });

  it('leaves pruned weights at exactly zero and moves every other that has a gradient', () => {
    const sizes = [50, 40, 30, 4];
    const { shared } = randomImages(50, 4, { train: 300, test: 4 });
    for (const share of [0.5, 0.1]) {
      const masks = randomMasks(sizes, share);
      const start = maskedParameters(initialise(sizes, 2), masks);
      const order = () => new RandomStream(1, 'o').permutation(300);
      const { parameters } = new WasmEngine(shared).fit({
        sizes,
        settings: adam,
        masks,
        start: fresh(sizes, start),
        order,
      });
      for (const [l, mask] of masks.entries())
        for (let i = 0; i < mask.length; i++) if (mask[i] === 0) expect(parameters.weights[l]![i]).toBe(0);
      expect(parameters.weights[0]).not.toEqual(start.weights[0]);
    }
  });
});

describe('a random shape', () => {
  it('evaluates like a plain loop, to the last correct image and active unit', () => {
    const shape = fc.record({
      inputs: fc.integer({ min: 1, max: 120 }),
      hidden: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 4 }),
      classes: fc.integer({ min: 2, max: 40 }),
      share: fc.constantFrom(1, 0.6, 0.2, 0.05),
      test: fc.integer({ min: 40, max: 300 }),
      linear: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(shape, ({ inputs, hidden, classes, share, test, linear }) => {
        const sizes = [inputs, ...hidden, classes];
        const { test: images, shared } = randomImages(inputs, classes, { train: classes + 1, test });
        const parameters = maskedParameters(initialise(sizes, 4), randomMasks(sizes, share));
        const measured = new WasmEngine(shared).evaluate(sizes, parameters, 'test', { linear });
        const network = widened(parameters);
        let [correct, loss, doubtful] = [0, 0, 0];
        const active = hidden.map(() => 0);
        for (const { inputs: pixels, label } of asInputs(
          images,
          Array.from({ length: test }, (_, i) => i),
        )) {
          const layers = forward(sizes, network, pixels, linear);
          const logits = layers.at(-1)!;
          const ranked = [...logits].sort((a, b) => b - a);
          if (ranked[0]! - ranked[1]! < 1e-5) doubtful++;
          if (logits.indexOf(ranked[0]!) === label) correct++;
          loss += crossEntropy(logits, label) / test;
          for (const l of active.keys()) active[l]! += layers[l + 1]!.filter((unit) => unit > 0).length / test;
        }
        expect(measured.images).toBe(test);
        expect(Math.abs(measured.correct - correct)).toBeLessThanOrEqual(doubtful);
        expect(measured.loss).toBeCloseTo(loss, 4);
        for (const [l, units] of active.entries())
          expect(Math.abs(measured.activeMean[l]! - units)).toBeLessThan(0.05 * hidden[l]!);
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});

describe('on all of MNIST', () => {
  const { train: images, test } = readMnist();
  const shared = shareImages(images, test, { inputs: 784, classes: 10 }, 0, 123);
  const sizes = [784, 300, 100, 10];

  it('100 steps of Adam stay within 1e-4 of float64, dense, at 10 % and at 1 % of the weights', () => {
    const order = new RandomStream(1, 'order', 0).permutation(60000).subarray(0, 6400);
    const few: typeof images = {
      count: order.length,
      pixels: Uint8Array.from(
        { length: 6400 * 784 },
        (_, i) => images.pixels[order[Math.floor(i / 784)]! * 784 + (i % 784)]!,
      ),
      labels: Uint8Array.from(order, (image) => images.labels[image]!),
    };
    const engine = new WasmEngine(shareImages(few, test, { inputs: 784, classes: 10 }, 0, 0));
    const inOrder = Uint32Array.from({ length: 6400 }, (_, i) => i);
    const settings = { ...adam, batchSize: 64 };
    const batches = chunks(asInputs(few, inOrder), settings.batchSize);
    for (const share of [1, 0.1, 0.01]) {
      const masks = share === 1 ? undefined : randomMasks(sizes, share);
      const start = masks === undefined ? initialise(sizes, 1) : maskedParameters(initialise(sizes, 1), masks);
      const fit = { sizes, settings, start: fresh(sizes, start), order: () => inOrder };
      const { parameters } = engine.fit(masks === undefined ? fit : { ...fit, masks });
      expect(distance(parameters, train(sizes, start, settings, batches, masks), start)).toBeLessThan(1e-4);
    }
  });

  it('evaluates 10,000 images like a plain float64 loop, to the last correct image', () => {
    const engine = new WasmEngine(shared);
    const order = (epoch: number) => new RandomStream(1, 'order', epoch).permutation(60000);
    const { parameters } = engine.fit({ sizes, settings: adam, start: fresh(sizes, initialise(sizes, 1)), order });
    const measured = engine.evaluate(sizes, parameters, 'test');
    const network = widened(parameters);
    let correct = 0;
    for (const { inputs, label } of asInputs(
      test,
      Array.from({ length: 10000 }, (_, i) => i),
    )) {
      const logits = forward(sizes, network, inputs).at(-1)!;
      if (logits.indexOf(Math.max(...logits)) === label) correct++;
    }
    expect(measured.correct).toBe(correct);
    expect(correct).toBeGreaterThan(9600);
  });
});

describe('training', () => {
  const sizes = [64, 30, 20, 5];
  const { shared } = randomImages(64, 5, { train: 400, test: 50 });
  const order = (epoch: number) => new RandomStream(3, 'order', epoch).permutation(400);
  const settings = { ...adam, epochs: 4, batchSize: 48 };

  it('goes on from any epoch to the same bytes', () => {
    for (const masks of [undefined, randomMasks(sizes, 0.1)]) {
      const begin = masks === undefined ? initialise(sizes, 1) : maskedParameters(initialise(sizes, 1), masks);
      const fit = { sizes, settings, start: fresh(sizes, begin), order, ...(masks === undefined ? {} : { masks }) };
      const whole = new WasmEngine(shared).fit(fit);
      for (const pause of [1, 2, 3]) {
        const half = new WasmEngine(shared).fit({ ...fit, settings: { ...settings, epochs: pause } });
        expect(new WasmEngine(shared).fit({ ...fit, start: half })).toEqual(whole);
      }
    }
  });

  it('gives the same bytes whatever the engine did before', () => {
    const fit = { sizes, settings, start: fresh(sizes, initialise(sizes, 1)), order };
    const first = new WasmEngine(shared).fit(fit);
    const used = new WasmEngine(shared);
    used.fit({ ...fit, sizes: [64, 90, 5], start: fresh([64, 90, 5], initialise([64, 90, 5], 8)) });
    used.evaluate(sizes, first.parameters, 'test');
    expect(used.fit(fit)).toEqual(first);
  });

  it('says that it diverged, and in which epoch', () => {
    const fit = {
      sizes,
      settings: { ...sgd, learningRate: 1e30, epochs: 3 },
      start: fresh(sizes, initialise(sizes, 1)),
      order,
    };
    expect(() => new WasmEngine(shared).fit(fit)).toThrow(Diverged);
  });
});
