import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outputs, writeOutputs } from '../../aggregator/outputs';
import { axesOf } from '../../aggregator/table';
import { gridPoints } from '../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../fixtures';

const { spec } = sweepOf({ hiddenWidths: [[5], [4, 3]], pruneRatios: [0, 0.9], seeds: 2 });
const points = gridPoints(spec, MNIST);
const records = points.map((point, index) => [point.trial.id, recordOf(point, 9000 + 7 * index)] as const);
const axes = axesOf(spec, MNIST);
const FILES = ['trials.csv', 'trials.parquet', 'costs.csv', 'table.csv', 'table.md'];

describe('the files of a folder', () => {
  it('are the same bytes for records in any order and any number of times', () => {
    const expected = outputs(points, new Map(records), axes);
    expect(expected.map(({ name }) => name)).toEqual(FILES);
    const shuffled = fc.shuffledSubarray(records, { minLength: records.length });
    fc.assert(
      fc.property(shuffled, fc.subarray(records), (all, again) => {
        expect(outputs(points, new Map([...all, ...again]), axes)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it('say nothing of records that are of another sweep', () => {
    const [other] = gridPoints(sweepOf({ hiddenWidths: [[6]] }).spec, MNIST);
    const more = new Map([...records, [other!.trial.id, recordOf(other!, 1)]]);
    expect(outputs(points, more, axes)).toEqual(outputs(points, new Map(records), axes));
  });

  it('are written whole, and are all there is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'outputs-'));
    try {
      const files = outputs(points, new Map(records), axes);
      expect(writeOutputs(folder, files)).toEqual(FILES);
      expect(readdirSync(folder).sort()).toEqual([...FILES].sort());
      for (const { name, bytes } of files)
        expect(Buffer.from(bytes).equals(readFileSync(join(folder, name)))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
