import { describe, expect, it } from 'vitest';
import { Live } from '../../aggregator/live';
import type { PackNews, Progress } from '../../bus/bus';

const pack = (name: string, lineages: string[], sweep = 'test'): PackNews => ({
  ...{ sweep, pack: name, lineages },
});
const progress = (lineage: string, epoch: number): Progress => ({
  ...{ lineage, network: '5', seed: 1, step: 'dense', epoch, epochs: 20, loss: 0.1, accuracy: 0.9 },
});

describe('who is at work', () => {
  it('is believed for 15 seconds after it last said so', () => {
    const live = new Live();
    live.hearPack(pack('pack-0', ['a']), 100);
    expect(live.atWork('test', 114.9)).toEqual([{ pack: 'pack-0', lineage: 'a' }]);
    expect(live.atWork('test', 115)).toEqual([]);
    live.hearPack(pack('pack-0', ['b', 'c']), 114);
    expect(live.atWork('test', 128.9).map(({ lineage }) => lineage)).toEqual(['b', 'c']);
    expect(live.atWork('test', 129)).toEqual([]);
  });

  it('is told for each sweep by itself, though packs have the same name', () => {
    const live = new Live();
    live.hearPack(pack('pack-0', ['a']), 0);
    live.hearPack(pack('pack-0', ['b'], 'other'), 0);
    live.hearPack(pack('pack-1', ['c']), 10);
    const lineages = (sweep: string, now: number) => live.atWork(sweep, now).map(({ lineage }) => lineage);
    expect(lineages('test', 11)).toEqual(['a', 'c']);
    expect(lineages('other', 11)).toEqual(['b']);
    expect(lineages('test', 20)).toEqual(['c']);
    expect(lineages('nobody', 11)).toEqual([]);
  });

  it('has the last progress of its lineage, and forgets it when nobody works on it', () => {
    const live = new Live();
    live.hearProgress(progress('a', 1));
    live.hearPack(pack('pack-0', ['a', 'b']), 0);
    live.hearProgress(progress('a', 2));
    const [a, b] = live.atWork('test', 1);
    expect(a).toEqual({ pack: 'pack-0', lineage: 'a', progress: progress('a', 2) });
    expect(b).toEqual({ pack: 'pack-0', lineage: 'b' });
    live.hearPack(pack('pack-0', ['b']), 2);
    live.hearPack(pack('pack-0', ['a', 'b']), 3);
    expect(live.atWork('test', 4)[0]).toEqual({ pack: 'pack-0', lineage: 'a' });
  });
});
