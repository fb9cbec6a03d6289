import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptSweep } from '../../sweep/accept';
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import { gridPoints } from '../../sweep/grid';
import type { DatasetShape, SweepDefinition } from '../../sweep/spec';
import { document, MNIST, sweepOf } from '../fixtures';

const digest = '0123456789abcdef'.repeat(4);
const OWN: DatasetShape = {
  ...{ inputs: 400, classes: 3, trainImages: 1500, testImages: 300 },
  identity: `sha256:${digest}`,
};
const idx = {
  ...{ trainImages: '/data/train images', trainLabels: '/data/train-labels' },
  ...{ testImages: '/data/test: images', testLabels: '/data/test-labels.gz' },
};

const DEFINITIONS: Record<string, SweepDefinition> = {
  'the smallest': { sweep: sweepOf({}), shape: MNIST },
  'own IDX data': {
    sweep: acceptSweep(document({ dataset: { idx, sha256: digest, validation: 100 } }, 'own-data'), OWN),
    shape: OWN,
  },
  'everything set': {
    sweep: sweepOf({
      ...{ pruneRatios: [0, 0.995], remainingWeights: [1641], seeds: [7, 2 ** 31], hiddenWidths: [[5], [300, 100]] },
      ...{ recipes: [{ l1: 1e-9 }, { criterion: 'random', recovery: 'none', schedule: 'oneshot' }], suspend: true },
    }),
    shape: MNIST,
  },
};

const good = JSON.parse(encodeDefinition(DEFINITIONS['the smallest']!)) as { sweep: string; shape: DatasetShape };
const GARBAGE: Record<string, unknown> = {
  null: null,
  'a number': 5,
  'no sweep': { shape: good.shape },
  'no shape': { sweep: good.sweep },
  'a sweep that is no text': { ...good, sweep: DEFINITIONS['the smallest']!.sweep },
  'half a pixel': { ...good, shape: { ...good.shape, inputs: 0.5 } },
  'no classes': { ...good, shape: { ...good.shape, classes: 0 } },
  'a count that is text': { ...good, shape: { ...good.shape, testImages: '10' } },
  'no identity': { ...good, shape: { ...good.shape, identity: undefined } },
  'text that is no YAML': { ...good, sweep: '{' },
  'an empty document': { ...good, sweep: '' },
  'another kind': { ...good, sweep: good.sweep.replace('PruneSweep', 'Job') },
  'an unknown field': { ...good, sweep: `${good.sweep}surplus: 1\n` },
};

describe('a sweep that travels', () => {
  it.each(Object.entries(DEFINITIONS))('is the same at the other end, with the same trials: %s', (_, definition) => {
    const text = encodeDefinition(definition);
    const arrived = decodeDefinition(text);
    expect(arrived).toEqual(definition);
    expect(encodeDefinition(arrived)).toBe(text);
    const ids = ({ sweep, shape }: SweepDefinition) => gridPoints(sweep.spec, shape).map(({ trial }) => trial.id);
    expect(ids(arrived)).toEqual(ids(definition));
  });

  it.each(Object.entries(GARBAGE))('is refused with an Error when it is %s', (_, garbage) => {
    expect(() => decodeDefinition(JSON.stringify(garbage))).toThrow(Error);
  });

  it('is refused with an Error when it is any JSON or any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => decodeDefinition(text)).toThrow(Error);
      }),
    );
  });
});
