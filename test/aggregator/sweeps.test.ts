import { expect, it } from 'vitest';
import { supersedes } from '../../aggregator/sweeps';
import type { PublishedSweep } from '../../bus/bus';
import { publishedSweep } from './line';

const said = (by: PublishedSweep['by'], since: number) => ({ ...publishedSweep(), by, since });

it.each([
  ['nothing', undefined, said('trainer', 1), true],
  ['nothing', undefined, said('owner', 1), true],
  ["an owner's", said('owner', 2), said('owner', 3), true],
  ["an owner's", said('owner', 2), said('owner', 2), false],
  ["an owner's", said('owner', 2), said('owner', 1), false],
  ["an owner's", said('owner', 2), said('trainer', 3), false],
  ["an owner's", said('owner', 2), said('trainer', 1), false],
  ["a trainer's", said('trainer', 2), said('owner', 3), true],
  ["a trainer's", said('trainer', 2), said('owner', 1), true],
  ["a trainer's", said('trainer', 2), said('trainer', 3), true],
  ["a trainer's", said('trainer', 2), said('trainer', 2), false],
  ["a trainer's", said('trainer', 2), said('trainer', 1), false],
])(
  'of two sweeps of one name, when %s is known, the rule of the table holds ($1.by $1.since, $2.by $2.since, $3)',
  (_, known, offered, stands) => {
    expect(supersedes(known, offered)).toBe(stands);
  },
);
