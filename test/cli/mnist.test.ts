import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../idxfiles';
import { prunesweep, writeSweep } from './prunesweep';

describe('300-100 on all of MNIST', () => {
  it('reaches 97.8 % dense in 20 epochs, and keeps it within 0.3 points at a tenth of its weights', async () => {
    const folder = temporaryFolder();
    const file = writeSweep(folder, { pruneRatios: [0, 0.9], seeds: 2 });
    expect((await prunesweep('run', file, '--out', join(folder, 'out'))).code).toBe(0);
    const rows = readFileSync(join(folder, 'out', 'trials.csv'), 'utf8')
      .trimEnd()
      .split('\n');
    const column = rows[0]!.split(',').indexOf('test_accuracy');
    const accuracies = rows.slice(1).map((row) => Number(row.split(',')[column]));
    console.info(`dense ${accuracies.slice(0, 2).join(', ')}; at 10 % ${accuracies.slice(2).join(', ')}`);
    for (const [seed, dense] of accuracies.slice(0, 2).entries()) {
      expect(dense).toBeGreaterThanOrEqual(0.978);
      expect(accuracies[2 + seed]!).toBeGreaterThanOrEqual(dense - 0.003);
    }
  });
});
