import { describe, expect, it } from 'vitest';
import type { FitSettings } from '../../../../trainer/engine/engine';
import { type Form, formOf, SPARSE_BELOW, WasmEngine } from '../../../../trainer/engine/wasm';
import type { Kernels } from '../../../../trainer/engine/wasm/kernels';
import type { KernelSettings } from '../../../../trainer/engine/wasm/kernels/optimiser';
import { initialise } from '../../../../trainer/initialise';
import { type Masks, maskedParameters, zeroParameters } from '../../../../trainer/network';
import { PHASES } from '../../../../trainer/prune/recovery';
import { RandomStream } from '../../../../trainer/random';
import { randomImages } from '../reference';

/** An engine as it is, which says which kernels it reaches for. */
class WatchedEngine extends WasmEngine {
  readonly called = new Set<string>();

  protected override kernels(settings: KernelSettings): Kernels {
    return new Proxy(super.kernels(settings), {
      get: (kernels, name: string) => {
        this.called.add(name);
        return kernels[name];
      },
    });
  }
}

const sizes = [64, 40, 20, 5];
const { shared } = randomImages(64, 5, { train: 200, test: 20 });
const base: FitSettings = {
  ...{ epochs: 1, batchSize: 50, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
};

function masksOf(share: number): Masks {
  const stream = new RandomStream(2, 'masks');
  return zeroParameters(sizes).weights.map((layer) =>
    Uint8Array.from(layer, () => +(stream.below(1000) < 1000 * share)),
  );
}

/** The kernels that an epoch runs through. */
function kernelsOf(settings: FitSettings, masks: Masks | undefined): string[] {
  const start = initialise(sizes, 1);
  const engine = new WatchedEngine(shared);
  engine.fit({
    ...{ sizes, settings, ...(masks === undefined ? {} : { masks }) },
    start: {
      parameters: masks === undefined ? start : maskedParameters(start, masks),
      ...{ first: zeroParameters(sizes), second: zeroParameters(sizes), epoch: 0 },
    },
    order: () => new RandomStream(1, 'order').permutation(200),
  });
  return [...engine.called].sort();
}

const SETTINGS: [string, Partial<FitSettings>][] = [
  ['adam', {}],
  ['adam, l1', { l1: 1e-4 }],
  ['adam, l2', { l2: 1e-4 }],
  ['adam, l1 and l2', { l1: 1e-4, l2: 1e-4 }],
  ['sgd', { optimizer: 'sgd' }],
  ['sgd, momentum', { optimizer: 'sgd', momentum: 0.9 }],
  ['sgd, momentum, l1 and l2', { optimizer: 'sgd', momentum: 0.9, l1: 1e-4, l2: 1e-4 }],
];
/** What is trained, and the class of speed that it falls into: dense and masked cost the same an epoch. */
const NETWORKS: [string, number | undefined, Form][] = [
  ['the dense network', undefined, 'dense'],
  ['masked at 50 %', 0.5, 'masked'],
  ['masked at 30 %', 0.3, 'masked'],
  ['masked at 20 %', 0.2, 'lists'],
  ['masked at 1 %', 0.01, 'lists'],
];

describe('the class of speed', () => {
  it.each(NETWORKS)('of %s is the same whatever the optimizer, momentum, l1 and l2', (_, share, form) => {
    const masks = share === undefined ? undefined : masksOf(share);
    expect(formOf(masks)).toBe(form);
    const expected = kernelsOf(base, masks);
    expect(expected.some((name) => name.startsWith('tile.'))).toBe(form === 'lists');
    expect(expected.some((name) => name.startsWith('panel.'))).toBe(form !== 'lists');
    for (const [, settings] of SETTINGS) expect(kernelsOf({ ...base, ...settings }, masks)).toEqual(expected);
  });

  it('depends on the share of the weights that are left and on nothing else', () => {
    for (const [share, form] of [
      [SPARSE_BELOW - 0.02, 'lists'],
      [SPARSE_BELOW + 0.02, 'masked'],
    ] as const)
      expect(formOf(masksOf(share))).toBe(form);
  });

  it('of regrow is the dense one for half of its epochs, then that of what is left', () => {
    const forms = PHASES.regrow(4).map(({ epochs, free }) => [epochs, formOf(free ? undefined : masksOf(0.01))]);
    expect(forms).toEqual([
      [2, 'dense'],
      [2, 'lists'],
    ]);
    expect(PHASES.masked(4).map(({ free }) => formOf(free ? undefined : masksOf(0.01)))).toEqual(['lists']);
    expect(PHASES.none(4)).toEqual([]);
  });
});
