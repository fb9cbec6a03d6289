/**
 * `npm run bench -- kernels`: each kernel by itself on data that fit the first-level cache, beside the most that the
 * core can do: multiply-adds in registers, without a load. The least of many turns: what the kernel takes when nothing
 * else runs. The last line is JSON: shares of that peak.
 */
import { cpus } from 'node:os';
import type { FitSettings } from '../trainer/engine/engine';
import { Arena } from '../trainer/engine/wasm/arena';
import { Assembler, f32x4 } from '../trainer/engine/wasm/assembler';
import { instantiate } from '../trainer/engine/wasm/kernels';
import { madd } from '../trainer/engine/wasm/kernels/fused';
import { CONSTANT, PIXEL_SCALE } from '../trainer/engine/wasm/kernels/memory';
import { MAX_WIDTH } from '../trainer/engine/wasm/kernels/product';
import { ANY_GROUP, ROW_GROUP } from '../trainer/engine/wasm/kernels/sampled';
import { ENTRY, range } from '../trainer/engine/wasm/kernels/vocabulary';
import { Schedule } from '../trainer/engine/wasm/schedule';
import { RandomStream } from '../trainer/random';

const ADAM: FitSettings = {
  ...{ epochs: 1, batchSize: 128, optimizer: 'adam', learningRate: 0.001, momentum: 0, l1: 0, l2: 0 },
};
const IMAGES = 128;
const LANES = 4;
const FLOPS = 2;

const arena = new Arena();
const shared = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
const kernels = instantiate({ optimizer: 'adam', decay: false, masked: false }, arena.memory, shared);
const stream = new RandomStream(1, 'kernels');

/** Seconds of the fastest of many calls, spread over a second, so that a neighbour's work does not cover all. */
function fastest(action: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++)
    for (const end = performance.now() + 50; performance.now() < end; ) {
      const began = performance.now();
      action();
      least = Math.min(least, (performance.now() - began) / 1000);
    }
  return least;
}

/** Multiply-adds a second of twelve sums in registers: enough to hide their latency. */
function peakFlops(): number {
  const assembler = new Assembler();
  const [sums, turns] = [12, 10000];
  assembler.define('peak', ['turns', 'out'], (body, { turns, out }) => {
    const x = body.local('v128', f32x4.const(1e-3));
    const locals = range(sums).map(() => body.local('v128', f32x4.const(0)));
    body.repeat(turns, () => {
      for (const _ of range(4)) for (const sum of locals) body.set(sum, madd(sum, x, x));
    });
    for (const [i, sum] of locals.entries()) body.storeV128(out, sum, 16 * i);
  });
  const module = new WebAssembly.Module(assembler.assemble());
  const { exports } = new WebAssembly.Instance(module, { memory: { own: arena.memory, shared } });
  const out = arena.allocate(16 * sums);
  const seconds = fastest(() => (exports as { peak(turns: number, out: number): void }).peak(turns, out));
  return (turns * 4 * sums * LANES * FLOPS) / seconds;
}

const words = (values: readonly number[]): number => {
  const address = arena.allocate(4 * values.length);
  arena.u32(address, values.length).set(values);
  return address;
};
const floats = (count: number, share = 1): number => {
  const address = arena.allocate(4 * count);
  for (let i = 0; i < count; i++)
    if (stream.below(100) < 100 * share) arena.f32(address + 4 * i, 1)[0] = 1e-3 * (1 + stream.below(100));
  return address;
};

/** Lists of images, `share` of all in each. @returns the table, and how many entries there are */
function imageLists(rows: number, share: number): { table: number; entries: number } {
  const all = range(rows).map(() => {
    const list = range(IMAGES).filter(() => stream.below(100) < 100 * share);
    return list.length % 2 === 0 ? list : list.slice(1);
  });
  const entries = arena.allocate(ENTRY * all.flat().length);
  const table = words([entries, ...all.map((_, row) => entries + ENTRY * all.slice(0, row + 1).flat().length)]);
  for (const [i, image] of all.flat().entries()) {
    arena.u32(entries + ENTRY * i, 1)[0] = image;
    arena.f32(entries + ENTRY * i + 4, 1)[0] = 1e-3;
  }
  return { table, entries: all.flat().length };
}

export async function benchKernels(): Promise<void> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  arena.splat(CONSTANT.pixelScale, PIXEL_SCALE);
  new Schedule(arena, ADAM, 10).begin(IMAGES);
  const peak = peakFlops();
  say(
    `${cpus()[0]!.model}, one core: at most ${(peak / 1e9).toFixed(1)} GFLOPS of 128 bits, multiply-adds in registers`,
  );
  const result: Record<string, number> = {};
  const flops = (name: string, count: number, action: () => void) => {
    const rate = (count * LANES * FLOPS) / fastest(action);
    result[name] = Number((rate / peak).toFixed(2));
    say(
      `${name.padEnd(42)} ${(rate / 1e9).toFixed(1).padStart(6)} GFLOPS, ${Math.round((100 * rate) / peak)} % of that`,
    );
  };
  const each = (name: string, unit: string, count: number, action: () => void) =>
    say(`${name.padEnd(42)} ${((1e9 * fastest(action)) / count).toFixed(2).padStart(6)} ns a ${unit}`);

  const matrix = floats(IMAGES * 4 * MAX_WIDTH);
  const stride = 16 * MAX_WIDTH;
  for (const [name, rows, share] of [
    ['forward or gradient of the input', 100, 0.5],
    ['the same, short lists', 300, 0.19],
  ] as const) {
    const { table, entries } = imageLists(rows, share);
    const out = arena.allocate(rows * stride);
    flops(name, entries * MAX_WIDTH, () =>
      kernels[`panel.store${MAX_WIDTH}`]!(rows, table, 4, matrix, out, stride, 0, 0),
    );
  }
  const { table, entries } = imageLists(300, 0.19);
  const weights = floats(300 * 4 * MAX_WIDTH * 3);
  flops('gradient of the weights, with Adam', entries * MAX_WIDTH, () =>
    kernels[`panel.update${MAX_WIDTH}`]!(300, table, 4, matrix, weights, stride, 300 * stride, 0),
  );

  const row = 4 * IMAGES + 64;
  const [inputs, gradients, out] = [floats((32 * row) / 4), floats((10 * row) / 4), arena.allocate(4 * 1000)];
  const offsets = (rows: number) => words(range(700).map((i) => ((7 * i) % rows) * row));
  const [inputOffsets, gradientOffsets] = [offsets(32), offsets(10)];
  const groups = words(range(100).flatMap((group) => [(group % 10) * row, 4 * ROW_GROUP * group]));
  const vectors = IMAGES / LANES;
  flops('gradients at survivors of one unit', 100 * ROW_GROUP * vectors, () =>
    kernels.sampledRow!(4 * IMAGES, 100, groups, inputOffsets, inputs, gradients, out),
  );
  flops('gradients at survivors of any units', 200 * ANY_GROUP * vectors, () =>
    kernels.sampledAny!(4 * IMAGES, 200, inputOffsets, gradientOffsets, inputs, gradients, out),
  );

  const parts = range(4).map(() => floats(4000));
  each('Adam on a list of weights', 'weight', 4000, () => kernels.updateFlat!(1000, ...parts));
  const activations = floats(IMAGES * 300, 0.5);
  const cuts = words([300]);
  const gathered = arena.allocate(ENTRY * (IMAGES * 302 + 1));
  const gatheredTable = arena.allocate(4 * (IMAGES + 1));
  const counts = arena.allocate(4 * 302);
  const lists = [cuts, 1, 300, gathered, gatheredTable, counts] as const;
  const gather = () => kernels.gatherActivations!(IMAGES, activations, 1200, ...lists);
  each('list of active units', 'unit', IMAGES * 300, gather);
  const [sorted, sortedTable] = [arena.allocate(ENTRY * (IMAGES * 302 + 400)), arena.allocate(4 * 304)];
  // The counts become addresses as the entries are sorted, so both are timed.
  each('the same, and by column', 'unit', IMAGES * 300, () => {
    gather();
    kernels.columns!(IMAGES, 1, gatheredTable, 302, counts, sorted, sortedTable);
  });
  const order = words(range(IMAGES));
  const groupTable = words(range(4).map((group) => 16 * group));
  const rows = words(range(64).map((pixel) => pixel * row));
  const pixels = arena.allocate(64 * row);
  each('images to rows of pixels', 'pixel', IMAGES * 64, () =>
    kernels.gatherPixels!(IMAGES / 16, order, 0, 64, 4, groupTable, rows, pixels),
  );
  say(JSON.stringify(result));
}
