/** Lineages that train together: each is what it is alone, and none waits for one that has left. */
import { describe, expect, it } from 'vitest';
import { Diverged, type Fit, type FitSettings } from '../../../../trainer/engine/engine';
import { TfjsEngine } from '../../../../trainer/engine/tfjs';
import { Pack } from '../../../../trainer/engine/tfjs/pack';
import { initialise } from '../../../../trainer/initialise';
import { type Parameters, zeroParameters } from '../../../../trainer/network';
import { RandomStream } from '../../../../trainer/random';
import { hasTfjs, tfjsBinding, whyNoTfjs } from '../../../servers/tfjs';
import { randomImages } from '../reference';

const SIZES = [40, 23, 11, 5];
const { train: images, shared } = randomImages(40, 5, { train: 180, test: 90 });
const SETTINGS: FitSettings = {
  ...{ epochs: 6, batchSize: 32, optimizer: 'adam', learningRate: 0.002, momentum: 0.9, l1: 0, l2: 0 },
};

const fitOf = (seed: number, more: Partial<Fit> = {}): Fit => ({
  ...{ sizes: SIZES, settings: SETTINGS },
  start: { parameters: initialise(SIZES, seed), first: zeroParameters(SIZES), second: zeroParameters(SIZES), epoch: 0 },
  order: (epoch) => new RandomStream(seed, 'order', epoch).permutation(images.count),
  ...more,
});

/** The largest difference of a weight or bias. */
const apart = (a: Parameters, b: Parameters): number =>
  Math.max(
    ...(['weights', 'biases'] as const).flatMap((part) =>
      a[part].flatMap((values, l) => Array.from(values, (value, i) => Math.abs(value - b[part][l]![i]!))),
    ),
  );

/** Of weights of some tenths, after 36 steps: float32's rounding, since TensorFlow sums in another order for more networks. */
const BOUND = 1e-5;

describe.runIf(hasTfjs)(`a pack${whyNoTfjs}`, () => {
  const engine = hasTfjs ? new TfjsEngine(shared, tfjsBinding()) : (undefined as never);

  it('gives each network what it becomes alone, within the bound, each with its own start, batches and mask', () => {
    const masks = zeroParameters(SIZES).weights.map((layer) => Uint8Array.from(layer, (_, i) => (i % 3 === 0 ? 1 : 0)));
    const fits = [fitOf(1), fitOf(2), { ...fitOf(3), masks }, fitOf(4)];
    const together = engine.fitTogether(fits);
    for (const [i, fit] of fits.entries()) {
      const outcome = together[i]!;
      if (!('value' in outcome)) throw outcome.error;
      expect(apart(outcome.value.parameters, engine.fit(fit).parameters)).toBeLessThan(BOUND);
    }
  });

  it('goes on without a network that diverges or is ended, to what the others are alone', () => {
    const wild = fitOf(5);
    wild.start.parameters.weights[0]!.fill(Number.POSITIVE_INFINITY);
    const stopped = new Error('stopped');
    const ended = fitOf(6, {
      onEpoch: ({ epoch }) => {
        if (epoch === 3) throw stopped;
      },
    });
    const [first, second, third] = engine.fitTogether([wild, ended, fitOf(7)]);
    expect((first as { error: Error }).error).toBeInstanceOf(Diverged);
    expect((second as { error: Error }).error).toBe(stopped);
    if (!('value' in third!)) throw new Error('the third failed');
    expect(apart(third.value.parameters, engine.fit(fitOf(7)).parameters)).toBeLessThan(BOUND);
  });

  it('brings together those that were stopped at different places', () => {
    let begun: Fit['start'] | undefined;
    engine.fit(fitOf(8, { onEpoch: ({ epoch, snapshot }) => (begun = epoch === 2 ? snapshot() : begun) }));
    const told: number[] = [];
    const late = { ...fitOf(8), start: begun!, onEpoch: ({ epoch }: { epoch: number }) => told.push(epoch) };
    const outcomes = engine.fitTogether([fitOf(9), late]);
    expect(told).toEqual([3, 4, 5, 6]);
    for (const [i, seed] of [9, 8].entries()) {
      const outcome = outcomes[i]!;
      if (!('value' in outcome)) throw outcome.error;
      expect(apart(outcome.value.parameters, engine.fit(fitOf(seed)).parameters)).toBeLessThan(BOUND);
    }
  });

  it('serves together those that wait for the same, and waits for none that left', async () => {
    const served: number[] = [];
    const watched = {
      name: engine.name,
      fitTogether: (fits: readonly Fit[]) => {
        served.push(fits.length);
        return engine.fitTogether(fits);
      },
      evaluateTogether: engine.evaluateTogether.bind(engine),
    };
    const pack = new Pack(watched);
    const members = [1, 2, 3].map(() => pack.join());
    const all = members.map((member, i) => member.fit(fitOf(i + 1)));
    await Promise.all(all);
    members[0]!.leave();
    const rest = members.slice(1).map((member) => member.fit(fitOf(1)));
    await Promise.all(rest);
    expect(served).toEqual([3, 2]);
  });

  it('takes no more memory after 2,000 steps than after 500, with checkpoints as trainers make them', () => {
    const epochs = 334;
    const megabytes: number[] = [];
    const looking = fitOf(1, {
      settings: { ...SETTINGS, epochs },
      onEpoch: ({ snapshot }) => {
        expect(snapshot().parameters.weights[0]).toHaveLength(40 * 23);
        megabytes.push(process.memoryUsage.rss() / 1e6);
      },
    });
    const others = [2, 3, 4].map((seed) => fitOf(seed, { settings: { ...SETTINGS, epochs } }));
    engine.fitTogether([looking, ...others]);
    const most = (from: number, to: number) => Math.max(...megabytes.slice(from, to));
    // One tensor left behind at each step was 40 MB, all of them 250.
    expect(most(epochs / 2, epochs)).toBeLessThan(most(0, epochs / 4) + 30);
  });

  it('keeps as many tensors after 1,000 steps as before, and frees what it held', () => {
    const before = engine.tensors;
    let level = 0;
    engine.fit(fitOf(1, { onEpoch: () => (level ||= engine.tensors) }));
    const after = engine.tensors;
    engine.fit(
      fitOf(2, {
        settings: { ...SETTINGS, epochs: 167 },
        onEpoch: () => expect(engine.tensors).toBeLessThanOrEqual(level + 2),
      }),
    );
    expect(after).toBeLessThanOrEqual(before + 2);
    expect(engine.tensors).toBeLessThanOrEqual(after + 2);
  });
});
