/** What every engine promises, held against training in float64 as a textbook writes it. */
import { describe, expect, it } from 'vitest';
import { Diverged, type Engine, type Fit, type FitSettings } from '../../../trainer/engine/engine';
import { TfjsEngine } from '../../../trainer/engine/tfjs';
import { WasmEngine } from '../../../trainer/engine/wasm';
import { initialise } from '../../../trainer/initialise';
import { type Masks, maskedParameters, type Parameters, zeroParameters } from '../../../trainer/network';
import { RandomStream } from '../../../trainer/random';
import { hasTfjs, tfjsBinding, whyNoTfjs } from '../../servers/tfjs';
import { asInputs, crossEntropy, distance, forward, randomImages, train, widened } from './reference';

const SIZES = [40, 23, 11, 5];
/** 6 batches an epoch, the last of which is not full. */
const { train: images, test, shared } = randomImages(40, 5, { train: 180, test: 90 });
const BATCH = 32;
const EPOCHS = 17;

const settings = (more: Partial<FitSettings> = {}): FitSettings => ({
  ...{ epochs: EPOCHS, batchSize: BATCH, optimizer: 'adam', learningRate: 0.002, momentum: 0.9, l1: 0, l2: 0 },
  ...more,
});

const order = (seed: number) => (epoch: number) => new RandomStream(seed, 'order', epoch).permutation(images.count);

function fitOf(seed: number, more: Partial<Fit> = {}, sizes = SIZES): Fit {
  const parameters = initialise(sizes, seed);
  const start = { parameters, first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 };
  return { sizes, settings: settings(), start, order: order(seed), ...more };
}

function batchesOf(fit: Fit) {
  return Array.from({ length: fit.settings.epochs }, (_, epoch) => {
    const all = asInputs(images, fit.order(epoch));
    return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH));
  }).flat();
}

function randomMasks(sizes: readonly number[], share: number): Masks {
  const stream = new RandomStream(3, 'masks', share);
  return zeroParameters(sizes).weights.map((layer) =>
    Uint8Array.from(layer, () => (stream.below(1000) < 1000 * share ? 1 : 0)),
  );
}

const masked = (fit: Fit, masks: Masks): Fit => ({
  ...fit,
  masks,
  start: { ...fit.start, parameters: maskedParameters(fit.start.parameters, masks) },
});

const FITS: Record<string, Fit> = {
  dense: fitOf(1),
  'dense, SGD with momentum': fitOf(2, { settings: settings({ optimizer: 'sgd', learningRate: 0.05 }) }),
  'dense, l1 and l2': fitOf(3, { settings: settings({ l1: 1e-4, l2: 1e-3 }) }),
  'half of the weights': masked(fitOf(4), randomMasks(SIZES, 0.5)),
  'a tenth of the weights, l1 and l2': masked(
    fitOf(5, { settings: settings({ l1: 1e-4, l2: 1e-3 }) }),
    randomMasks(SIZES, 0.1),
  ),
  'without a ReLU': fitOf(6, { linear: [1] }),
  'one hidden layer': fitOf(7, {}, [40, 9, 5]),
};

const ENGINES: Record<string, { isThere: boolean; why: string; make(): Engine }> = {
  wasm: { isThere: true, why: '', make: () => new WasmEngine(shared) },
  tfjs: { isThere: hasTfjs, why: whyNoTfjs, make: () => new TfjsEngine(shared, tfjsBinding()) },
};

const bytes = ({ weights, biases }: Parameters) =>
  Buffer.concat([...weights, ...biases].map((one) => Buffer.from(one.buffer)));

for (const [name, { isThere, why, make }] of Object.entries(ENGINES))
  describe.runIf(isThere)(`the engine ${name}${why}`, () => {
    const engine = isThere ? make() : (undefined as never);

    for (const [what, fit] of Object.entries(FITS))
      it(`is within 1e-4 of float64 after 102 steps: ${what}`, async () => {
        const { parameters, epoch } = await engine.fit(fit);
        const { sizes, start, linear = [] } = fit;
        const reference = train(sizes, start.parameters, fit.settings, batchesOf(fit), fit.masks, linear);
        expect(epoch).toBe(EPOCHS);
        expect(distance(parameters, reference, start.parameters)).toBeLessThan(1e-4);
        for (const [l, mask] of (fit.masks ?? []).entries())
          expect(parameters.weights[l]!.every((weight, i) => mask[i] === 1 || weight === 0)).toBe(true);
      });

    it('goes on from a snapshot as if it had not stopped, and gives the same bytes twice', async () => {
      let half: Fit['start'] | undefined;
      const whole = await engine.fit(
        fitOf(8, { onEpoch: ({ epoch, snapshot }) => (half = epoch === 9 ? snapshot() : half) }),
      );
      const rest = await engine.fit({ ...fitOf(8), start: half! });
      expect(half!.epoch).toBe(9);
      expect(bytes(rest.parameters).equals(bytes(whole.parameters))).toBe(true);
      expect(bytes(rest.second).equals(bytes(whole.second))).toBe(true);
    });

    it('evaluates as float64 does: right answers, loss, active units', async () => {
      const { parameters } = await engine.fit(FITS['half of the weights']!);
      for (const linear of [[], [0]]) {
        const found = await engine.evaluate(SIZES, parameters, 'test', { linear });
        let [correct, loss] = [0, 0];
        const active = [0, 0];
        for (const { inputs, label } of asInputs(
          test,
          Array.from({ length: test.count }, (_, i) => i),
        )) {
          const activations = forward(SIZES, widened(parameters), inputs, linear);
          const logits = activations.at(-1)!;
          correct += logits.indexOf(Math.max(...logits)) === label ? 1 : 0;
          loss += crossEntropy(logits, label) / test.count;
          for (const l of [0, 1]) active[l]! += activations[l + 1]!.filter((unit) => unit > 0).length / test.count;
        }
        expect([found.correct, found.images]).toEqual([correct, test.count]);
        expect(found.loss).toBeCloseTo(loss, 5);
        expect(found.activeMean[0]).toBeCloseTo(active[0]!, 10);
        expect(found.activeMean[1]).toBeCloseTo(active[1]!, 10);
      }
    });

    it('says in which epoch the loss is no longer a number', async () => {
      const fit = fitOf(9, { settings: settings({ optimizer: 'sgd', learningRate: 10, l2: 1 }) });
      await expect((async () => engine.fit(fit))()).rejects.toThrow(Diverged);
    });
  });
