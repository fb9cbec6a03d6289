import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Board } from '../../aggregator/board';
import type { Fact } from '../../aggregator/store';
import { accuracy, cellPlaces, cells } from '../../sweep/cells';
import { byId, pointsOf, publishedSweep, recordsOf } from './line';

const sweep = publishedSweep();
const points = pointsOf(sweep);
const records = recordsOf(sweep);
const trials = points.map(({ trial }) => trial.id);
const boardOf = () =>
  new Board(sweep, { places: cellPlaces(points), trials, accuracies: trials.map(() => null), facts: [] });

const fact = (point: number, kind: Fact['kind'] = 'record'): Fact => ({
  ...{ kind, trial: trials[point]! },
  ...(kind === 'record' ? { accuracy: accuracy(records[point]!) } : {}),
});

describe('a sweep as it stands', () => {
  it('is the table of its records, in any order and any number of times', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(23), { maxLength: 60 }), (order) => {
        const board = boardOf();
        for (const point of order) {
          board.note(fact(point));
          // What was made on the way must not stay.
          expect(board.cells.reduce((sum, { n }) => sum + n, 0)).toBe(board.counts.recorded);
        }
        const some = [...new Set(order)].map((point) => records[point]!);
        expect(board.cells).toEqual(cells(points, byId(some)));
        expect(board.counts).toEqual({ total: 24, recorded: some.length, failed: 0, missing: 24 - some.length });
      }),
      { numRuns: 50 },
    );
  });

  it('counts as failed what failed and has no record, whichever came first', () => {
    const board = boardOf();
    for (const point of [0, 1, 1, 2]) board.note(fact(point, 'failure'));
    board.note(fact(3));
    board.note(fact(1));
    board.note(fact(3, 'failure'));
    expect(board.counts).toEqual({ total: 24, recorded: 2, failed: 2, missing: 20 });
  });

  it('has the cells over some seeds alone, as a sweep of those seeds has them', () => {
    const board = boardOf();
    for (const point of points.keys()) if (point % 5 > 0) board.note(fact(point));
    board.note(fact(0, 'failure'));
    const own = publishedSweep({ seeds: [1, 3] });
    const those = records.filter((_, point) => point % 5 > 0);
    const told = board.cellsAfter(-1, new Set([1, 3, 99]));
    expect(told.map(({ at: _, failed: __, ...cell }) => cell)).toEqual(cells(pointsOf(own), byId(those)));
    expect(told[0]).toMatchObject({ n: 1, N: 2, failed: 1 });
    expect(board.cellsAfter(-1, new Set([2]))[0]).not.toHaveProperty('failed');
    expect(board.cellsAfter(-1, new Set([99]))[0]).toMatchObject({ at: 0, n: 0, N: 0 });
  });

  it('has a version that changes with each change, and names the trials that were measured twice', () => {
    const board = boardOf();
    const versions = new Set([board.version]);
    for (const kind of ['record', 'failure', 'conflict', 'conflict'] as const) {
      board.note(fact(4, kind));
      versions.add(board.version);
    }
    expect(versions.size).toBe(5);
    expect([...board.conflicts]).toEqual([points[4]!.trial.id]);
  });

  it('has as its best the best mean at the smallest count that has one', () => {
    const board = boardOf();
    expect(board.best).toBeUndefined();
    for (let point = 0; point < 24; point++) {
      board.note(fact(point));
      const measured = board.cells.filter(({ n }) => n > 0);
      const least = Math.min(...measured.map(({ remainingWeights }) => remainingWeights));
      const means = measured.filter(({ remainingWeights }) => remainingWeights === least).map(({ mean }) => mean!);
      expect(board.best).toMatchObject({ remainingWeights: least, mean: Math.max(...means) });
    }
  });

  it('takes as long as its missing trials at the pace of the last 64 records', () => {
    const board = boardOf();
    expect(board.timeLeft(100)).toBeUndefined();
    board.tick(10);
    expect(board.timeLeft(100)).toBeUndefined();
    board.tick(20);
    expect(board.timeLeft(20)).toBe(240);
    expect(board.timeLeft(30)).toBe(480);
    for (let point = 0; point < 12; point++) board.note(fact(point));
    expect(board.timeLeft(20)).toBe(120);
    for (let time = 0; time < 64; time++) board.tick(1000 + time);
    expect(board.timeLeft(1063)).toBe(12);
    for (let point = 12; point < 24; point++) board.note(fact(point));
    expect(board.timeLeft(1063)).toBe(0);
  });
});
