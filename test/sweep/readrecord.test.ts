import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCounts } from '../../sweep/counts';
import { trialId } from '../../sweep/ids';
import { OtherVersion, readRecord } from '../../sweep/readrecord';
import type { TrialRecord } from '../../sweep/record';

/** As it was published once; never made anew. */
const fixture = (version: number) =>
  JSON.parse(
    readFileSync(join(__dirname, '..', 'fixtures', 'records', `version-${version}.json`), 'utf8'),
  ) as TrialRecord;
const record = fixture(2);
const { trial } = record;

const without = (name: keyof TrialRecord) => {
  const { [name]: _, ...rest } = record;
  return rest;
};
const of = (content: object) => ({ ...record, trial: { ...trial, ...content } });

const POISON: [string, unknown, string][] = [
  ['null', null, 'it has no version'],
  ['a text', 'record', 'it has no version'],
  ['a list', [record], 'it has no version'],
  ['no version', without('version'), 'it has no version'],
  ['a missing field', without('engine'), "it must have required property 'engine'"],
  ['an extra field', { ...record, extra: 1 }, 'it must NOT have additional properties'],
  ['an extra field deep in it', of({ extra: 1 }), 'it/trial must NOT have additional properties'],
  ['a text for a number', { ...record, flopFraction: '1' }, 'it/flopFraction must be number'],
  ['a fraction for a count', { ...record, activeProbe: [1.5, 2] }, 'it/activeProbe/0 must be integer'],
  ['a negative count', { ...record, test: { ...record.test, correct: -1 } }, 'it/test/correct must be >= 0'],
  [
    'a number past all numbers',
    { ...record, flopFraction: Number.POSITIVE_INFINITY },
    'it/flopFraction must be number',
  ],
  ['another id', { ...record, id: 'f'.repeat(64) }, `its trial id ${'f'.repeat(64)} is not that of its trial`],
  ['another trial', of({ seed: 2 }), `its trial id ${record.id} is not that of its trial`],
  [
    'counts that do not add up',
    { ...record, remainingByLayer: [888, 887, 886] },
    '2661 weights are left, its trial leaves 2662',
  ],
  ['a layer too few', { ...record, remainingByLayer: [1775, 887] }, 'not those of a network with 2 hidden layers'],
  ['a ReLU too many', { ...record, testCorrectWithoutRelu: [1, 2, 3] }, 'not those of a network with 2 hidden layers'],
  [
    'more correct than images',
    { ...record, test: { ...record.test, correct: 10001 } },
    '10001 of 10000 images are correct',
  ],
  ['no images', { ...record, test: { ...record.test, correct: 0, images: 0 } }, '0 of 0 images are correct'],
  [
    'a map that does not add up',
    { ...record, survivorsByInput: btoa('\u0001\u0002') },
    'its map has 3 weights, fc1 888',
  ],
  [
    'a histogram that is none',
    { ...record, histograms: { ...record.histograms, all: { limit: 1, counts: btoa('\u0000') } } },
    'its histogram cannot be read',
  ],
  [
    'histograms of too few layers',
    { ...record, histograms: { ...record.histograms, layers: [record.histograms.all] } },
    'not those of a network with 2 hidden layers',
  ],
  ['a map that is none', { ...record, survivorsByInput: '!' }, 'its map cannot be read'],
  [
    'more correct of the held back',
    { ...record, validation: { correct: 2, images: 1, loss: 0 } },
    '2 of 1 images are correct',
  ],
];

/** Paths to every leaf. */
function leaves(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]));
}

function replaced(value: unknown, [key, ...rest]: (string | number)[], leaf: unknown): unknown {
  if (key === undefined) return leaf;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, leaf);
  return copy;
}

/** It is refused with an Error, or a record by the same rules, said in another way. */
function holds(value: unknown): void {
  let read: TrialRecord;
  try {
    read = readRecord(value);
  } catch (error) {
    expect(Object.getPrototypeOf(error)).toBeOneOf([Error.prototype, OtherVersion.prototype]);
    expect((error as Error).message).toMatch(/record|its trial id/);
    return;
  }
  expect(read).toBe(value);
  expect([1, 2]).toContain(read.version);
  expect(trialId(read.trial)).toBe(read.id);
  expect(read.remainingByLayer.reduce((a, b) => a + b)).toBe(read.trial.remainingWeights);
  expect(read.test.correct).toBeLessThanOrEqual(read.test.images);
}

describe('a record from outside', () => {
  it.each([1, 2])('is read though it was written long ago, at version %i', (version) => {
    const { histograms } = readRecord(fixture(version));
    const listed = fixture(1).histograms.all.counts;
    expect(decodeCounts(histograms.all.counts)).toEqual(listed);
    expect(histograms.layers).toEqual(Array(3).fill(histograms.all));
    expect(readRecord(fixture(version))).toEqual({ ...fixture(version), version: 2, histograms });
    expect(fixture(1).id).toBe('743d78f7484f1591d691fe1bfe436483327a06de93d0748cb6af9f825c0444f1');
    expect(() => readRecord({ ...fixture(1), survivorsByInput: record.survivorsByInput })).toThrow('additional');
    expect(readRecord(without('validation'))).toEqual(without('validation'));
  });

  it.each(POISON)('is refused with the reason when it has %s', (_, poison, reason) => {
    expect(() => readRecord(poison)).toThrow(reason);
  });

  it.each([0, 3, 99, '1', null])('is refused as one of another version when it says %j', (version) => {
    expect(() => readRecord({ ...record, version })).toThrow(OtherVersion);
    expect(() => readRecord({ ...record, version })).toThrow(
      `a record of version ${JSON.stringify(version)}, this program reads 1, 2`,
    );
  });

  it('is refused with an Error, or valid, whatever JSON it is', () => {
    fc.assert(fc.property(fc.jsonValue(), holds));
    fc.assert(fc.property(fc.dictionary(fc.constantFrom('version', 'id', 'trial'), fc.jsonValue()), holds));
  });

  it('is refused with an Error, or valid, whatever one of its values is', () => {
    const path = fc.constantFrom(...leaves(record).filter(([key]) => key !== 'histograms'));
    const leaf = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.nat(10000), fc.constantFrom(1e308, -0, 2 ** 53));
    fc.assert(
      fc.property(path, leaf, (at, value) => holds(replaced(record, at, value))),
      { numRuns: 1000 },
    );
  });
});
