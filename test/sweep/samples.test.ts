import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cut, studySweeps } from '../../docs/study/sweeps';
import { acceptSweep } from '../../sweep/accept';
import { type GridSize, gridPoints, gridSize } from '../../sweep/grid';
import { readSweep } from '../../sweep/read';
import { MNIST } from '../fixtures';

const FOLDER = resolve(__dirname, '../../k8s/samples');

const sample = (name: string) => {
  const { document, problems } = readSweep(readFileSync(join(FOLDER, `${name}.yaml`), 'utf8'));
  expect(problems).toEqual([]);
  return acceptSweep(document, MNIST);
};

describe('the samples', () => {
  const sizes: Record<string, Partial<GridSize>> = {
    quickstart: { lineages: 2, trials: 2 * 4 * 2 },
    // 0.995 of 600-100 is 2657, and of 300-300 is 1641: two of the 60 targets are one with another.
    article: { lineages: 6 * 5, trials: 58 * 2 * 5 },
    // One lineage with L1, and one with L2.
    han: { lineages: 2 * 5, trials: 12 * 5 * 5 },
  };
  it('are all known here', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...Object.keys(sizes), 'study'].map((name) => `${name}.yaml`).sort());
  });
  for (const [name, size] of Object.entries(sizes))
    it(`have the grid that they speak of: ${name}`, () => {
      const sweep = sample(name);
      expect(sweep.metadata.name).toBe(name);
      expect(gridSize(sweep.spec, MNIST)).toMatchObject(size);
    });

  it('of the study are sweeps of five seeds, of which each trial of one setting is the same in all', () => {
    const sweeps = studySweeps();
    expect(new Set(sweeps.map(({ name }) => name)).size).toBe(10);
    const trials = sweeps.flatMap(({ document }) => {
      const { spec } = acceptSweep(document, MNIST);
      expect(spec.seeds).toHaveLength(5);
      expect(spec.dataset.validation).toBe(5000);
      return gridPoints(spec, MNIST).map(({ trial }) => trial.id);
    });
    expect(trials.length).toBeGreaterThan(3000);
    // Dense networks are shared, and so are the ways without retraining.
    expect(new Set(trials).size).toBeLessThan(trials.length);
    for (const sweep of sweeps.map(cut)) expect(() => acceptSweep(sweep.document, MNIST)).not.toThrow();
  });

  it("of the article have its networks, and its pruned networks' counts", () => {
    const { networks } = gridSize(sample('article').spec, MNIST);
    expect(networks.map(({ network, weights }) => [network, weights])).toEqual([
      ['150-100', 133600],
      ['300-100', 266200],
      ['600-100', 531400],
      ['1200-100', 1061800],
      ['300-200', 297200],
      ['300-300', 328200],
    ]);
    for (const { targets } of networks) expect(targets).toEqual(expect.arrayContaining([2663, 2657, 1641]));
  });
});
