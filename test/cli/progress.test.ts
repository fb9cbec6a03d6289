import { describe, expect, it } from 'vitest';
import { clock, TimeLeft } from '../../cli/progress';
import { lineagesOf } from '../../sweep/grid';
import { denseSeconds, lineageSeconds, trialSeconds } from '../../trainer/work';
import { MNIST, sweepOf } from '../fixtures';

const data = { train: 60000, test: 10000, nonZero: 150 };
const lineages = lineagesOf(sweepOf({ seeds: 3, pruneRatios: [0, 0.9, 0.99] }).spec, MNIST);
const none = () => false;
const whole = lineageSeconds(lineages[0]!, none, data);

describe('the time left', () => {
  it('is at first what was expected, the lineages shared among the workers', () => {
    expect(new TimeLeft(lineages, none, data, 1, 100).left(100)).toBeCloseTo(3 * whole, 6);
    expect(new TimeLeft(lineages, none, data, 2, 100).left(100)).toBeCloseTo(1.5 * whole, 6);
  });

  it('is never less than the longest lineage, which one worker alone does', () => {
    expect(new TimeLeft(lineages, none, data, 30, 0).left(0)).toBeCloseTo(whole, 6);
  });

  it('follows what the steps do take: on a machine four times as slow, nearly four times as long', () => {
    const timeLeft = new TimeLeft(lineages, none, data, 1, 0);
    const { id, content, sizes } = lineages[0]!;
    const dense = denseSeconds(content.training, sizes, data);
    timeLeft.advance(id, 1, 1);
    const left = timeLeft.left(4 * dense);
    expect(left).toBeGreaterThan(3 * (3 * whole - dense));
    expect(left).toBeLessThan(4 * (3 * whole - dense));
  });

  it('takes what a checkpoint has as gone, and not as quickly done', () => {
    const timeLeft = new TimeLeft(lineages.slice(0, 1), none, data, 1, 0);
    const { content, sizes, chains } = lineages[0]!;
    const [dense, last] = [denseSeconds(content.training, sizes, data), chains[0]!.at(-1)!];
    // The dense network was there: the first news is of the last trial's third of four epochs.
    timeLeft.advance(last.id, 0.75, 0.25);
    const trial = trialSeconds(last.content, sizes, data);
    expect(timeLeft.left(trial / 4)).toBeCloseTo(whole - dense - 0.75 * trial, 6);
  });

  it('ends at nothing', () => {
    const timeLeft = new TimeLeft(lineages, none, data, 2, 0);
    for (const { id, chains } of lineages)
      for (const key of [id, ...chains.flat().map((trial) => trial.id)]) timeLeft.advance(key, 1, 1);
    expect(timeLeft.left(1000)).toBeCloseTo(0, 6);
  });
});

describe('a clock', () => {
  it('shows minutes, and hours when there are any', () => {
    expect([0, 9.4, 754, 10800, -3].map(clock)).toEqual(['0:00', '0:09', '12:34', '3:00:00', '0:00']);
  });
});
