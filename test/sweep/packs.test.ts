import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridSize, lineagesOf, packCount, packOf, podMemory } from '../../sweep/grid';
import { lineagesTogether, type Part, partsOf } from '../../sweep/packs';
import { MNIST, sweepOf } from '../fixtures';

const packs = (spec: object) => {
  const sweep = sweepOf(spec).spec;
  return Array.from({ length: gridSize(sweep, MNIST).packs }, (_, pack) => packOf(sweep, MNIST, pack));
};
const shown = (spec: object) =>
  packs(spec).map((pack) => `${pack.length} of ${[...new Set(pack.map(({ sizes }) => sizes.join('-')))].join(', ')}`);
const gpu = (template: object = {}) => ({ template: { accelerator: 'gpu', ...template } });

describe('a pack', () => {
  it('of a processor is one lineage, when the sweep leaves it to us', () => {
    const grid = { hiddenWidths: [[5], [4, 3]], seeds: 3 };
    expect(packs(grid).map((pack) => pack.length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(shown({ ...grid, template: { accelerator: 'cpu' } })).toEqual(shown(grid));
  });

  it('of a GPU is of one shape, with what its networks differ in besides', () => {
    const grid = {
      hiddenWidths: [
        [300, 100],
        [150, 100],
      ],
      seeds: 5,
      recipes: [{}, { l2: 0.001 }],
    };
    expect(shown({ ...grid, ...gpu() })).toEqual(['10 of 784-300-100-10', '10 of 784-150-100-10']);
  });

  it("of networks that others prune is a GPU's while they are trained, and one lineage then", () => {
    const { spec } = sweepOf({ hiddenWidths: [[5], [4, 3]], seeds: 3, ...gpu({ retrainOn: 'cpu' }) });
    const of = (part: Part) =>
      Array.from({ length: packCount(spec, MNIST, part) }, (_, pack) => packOf(spec, MNIST, pack, part));
    expect(of('dense').map((pack) => pack.length)).toEqual([3, 3]);
    expect(of('pruned').map((pack) => pack.length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(of('pruned').flat()).toEqual(of('dense').flat());
    expect(gridSize(spec, MNIST).packs).toBe(8);
    // Without GPUs there is nothing to share.
    expect(partsOf({ retrainOn: 'cpu' })).toEqual([undefined]);
  });

  it('of a GPU is as large as its memory allows, and packs of a shape are of one size', () => {
    // 98 million weights: 3.7 GiB each.
    const grid = { hiddenWidths: [[10000, 9000]], pruneRatios: [0.5], seeds: 7, training: { batchSize: 1 } };
    const sizes = (template: object) => packs({ ...grid, ...gpu(template) }).map((pack) => pack.length);
    expect(sizes({})).toEqual([2, 2, 2, 1]);
    expect(sizes({ gpuMemory: 40 })).toEqual([4, 3]);
    expect(sizes({ gpuMemory: 80 })).toEqual([7]);
    expect(sizes({ gpuResource: 'nvidia.com/mig-3g.40gb' })).toEqual([4, 3]);
    expect(sizes({ gpuResource: 'nvidia.com/mig-1g.5gb' })).toEqual(Array(7).fill(1));
  });

  it('of a GPU is no larger than makes it faster', () => {
    expect(packs({ hiddenWidths: [[300, 100]], seeds: 300, ...gpu() }).map((pack) => pack.length)).toEqual([150, 150]);
    const together = (sizes: number[], batchSize: number) => lineagesTogether(sizes, batchSize, { gpuMemory: 1024 });
    expect(together([784, 300, 100, 10], 128)).toBeGreaterThan(together([784, 1200, 100, 10], 128));
    expect(together([784, 300, 100, 10], 128)).toBeGreaterThan(together([784, 300, 100, 10], 1024));
  });

  it('is of the size that the sweep says, whatever the pod has', () => {
    const grid = { hiddenWidths: [[5], [4, 3]], seeds: 3, lineagesPerPack: 4 };
    expect(packs({ ...grid, ...gpu() }).map((pack) => pack.length)).toEqual([4, 2]);
    expect(packs(grid).map((pack) => pack.length)).toEqual([4, 2]);
  });

  it('takes memory for its largest network on a processor, and for all of its networks with a GPU', () => {
    const memory = (spec: object, part?: Part) => podMemory(sweepOf(spec).spec, MNIST, part);
    const grid = { hiddenWidths: [[50], [300, 100]], seeds: 200 };
    expect(memory(grid)).toBe(323);
    expect(memory({ ...grid, lineagesPerPack: 100 })).toBe(323);
    // 58 MiB for each million of weights: 200 of 300-100 are more than any that train together of 50.
    expect(memory({ ...grid, ...gpu() })).toBe(4096 + Math.ceil(58 * 0.2662 * 200));
    expect(memory({ ...grid, ...gpu(), lineagesPerPack: 10 })).toBe(4096 + Math.ceil(58 * 0.2662 * 10));
    expect(memory({ ...grid, ...gpu({ retrainOn: 'cpu' }) }, 'pruned')).toBe(323);
  });

  it('has each lineage in exactly one, in the order of the grid, and there is none after the last', () => {
    const grids = fc.record({
      hiddenWidths: fc.uniqueArray(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 3 }), {
        ...{ minLength: 1, maxLength: 4, selector: String },
      }),
      seeds: fc.integer({ min: 1, max: 40 }),
      lineagesPerPack: fc.oneof(fc.constant('auto'), fc.integer({ min: 1, max: 9 })),
      recipes: fc.constantFrom([{}], [{}, { l2: 0.001 }, { criterion: 'random' }]),
      template: fc.constantFrom({}, { accelerator: 'gpu', gpuMemory: 1 }, { accelerator: 'gpu' }),
    });
    fc.assert(
      fc.property(grids, (grid) => {
        const { spec } = sweepOf({ ...grid, pruneRatios: [0] });
        const ids = packs({ ...grid, pruneRatios: [0] }).map((pack) => pack.map(({ id }) => id));
        expect(ids.every((pack) => pack.length > 0)).toBe(true);
        expect(ids.flat()).toEqual(lineagesOf(spec, MNIST).map(({ id }) => id));
        expect(packOf(spec, MNIST, ids.length)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('is made without the rest of a grid of a million trials', () => {
    const grid = { hiddenWidths: [[300, 100]], pruneRatios: [0, 0.9, 0.95, 0.98, 0.99] };
    const { spec } = sweepOf({ ...grid, seeds: 200_000 });
    const { packs: count } = gridSize(spec, MNIST);
    const [last] = lineagesOf(sweepOf({ ...grid, seeds: [200_000] }).spec, MNIST);
    expect(packOf(spec, MNIST, count - 1).at(-1)).toEqual(last);
  });
});
