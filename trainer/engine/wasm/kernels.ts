/**
 * Every loop that training spends its time in. One idea carries both directions and both kinds of network: a sparse
 * list times a dense matrix, `out[r] = sum over the entries (index, value) of row r: value * matrix[index]`.
 *
 * | pass | the list | the matrix |
 * |---|---|---|
 * | dense network, forward | each image's non-zero inputs (pixels, then active ReLUs) | the weights' rows |
 * | dense network, gradient of the input | each image's non-zero output gradients | the transposed weights' rows |
 * | dense network, gradient of the weights | each input's non-zero images | the output gradients, an image a row |
 * | pruned network, forward | each unit's surviving weights | the inputs, a feature a row, images in columns |
 * | pruned network, gradient of the input | each feature's surviving weights | the output gradients |
 *
 * What is zero costs nothing: MNIST's pixels are 81 % zero and about half of the ReLUs are off. The gradient of a
 * pruned network's weights is a dot product at each survivor (`sampled`). A bias is the weight of an input that is
 * always 1, the last row.
 *
 * A list is a table of addresses, `table[k]..table[k+1]` the entries of row k, each entry {u32 index, f32 value}.
 * `width` is the number of vectors of four floats that a kernel carries in registers.
 *
 * Order of sums: entries from first to last, each multiplied, rounded, added, rounded (there is no fused
 * multiply-add); blocks of a row are summed apart and added in order.
 */
import {
  Assembler,
  type Body,
  type Expression,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  type Operand,
  v128,
  widen,
} from './assembler';

/**
 * Widths that kernels are made for, with the nanoseconds that an entry takes. 16 vector registers leave 13 for sums: one
 * is for the value, one for the product, one V8 keeps. It unrolls loops of 8 to 11 vectors and then spills registers
 * (11 take 4.4 ns); longer ones it leaves as they are.
 */
export const WIDTHS = new Map([
  ...([
    [1, 0.74],
    [2, 0.86],
    [3, 1.0],
    [4, 1.4],
    [5, 1.5],
    [6, 1.82],
    [7, 2.1],
  ] as const),
  ...([
    [12, 3.4],
    [13, 3.8],
  ] as const),
]);
export const MAX_WIDTH = 13;

/** What an entry costs once a panel whatever its width: reading it, and its share of the row's beginning and end. */
const PANEL_COST = 0.4;

/** Columns that a kernel works on together, counted in vectors of four. */
export interface Panel {
  width: number;
  /** The first of them, counted in the row. */
  first: number;
}

/** Panels that cover `vectors` at the least cost, wider ones first. */
export function panelsOf(vectors: number): Panel[] {
  const best: { cost: number; width: number }[] = [{ cost: 0, width: 0 }];
  for (let total = 1; total <= vectors; total++) {
    const options = [...WIDTHS].filter(([width]) => width <= total);
    const priced = options.map(([width, cost]) => ({ width, cost: PANEL_COST + cost + best[total - width]!.cost }));
    best.push(priced.reduce((least, option) => (option.cost < least.cost ? option : least)));
  }
  const widths: number[] = [];
  for (let rest = vectors; rest > 0; rest -= best[rest]!.width) widths.push(best[rest]!.width);
  widths.sort((a, b) => b - a);
  const before = (panel: number) => widths.slice(0, panel).reduce((sum, width) => sum + width, 0);
  return widths.map((width, panel) => ({ width, first: before(panel) }));
}

/** What is done with a row's sum. */
export type Epilogue = 'store' | 'add' | 'relu' | 'addRelu' | 'mask' | 'update';

/** Of a row's list in blocks: the first block's sum is stored, others are added, and the last one may pass a ReLU. */
export const epilogueOf = (block: number, blocks: number, relu: boolean): Epilogue => {
  const last = relu && block === blocks - 1;
  return block === 0 ? (last ? 'relu' : 'store') : last ? 'addRelu' : 'add';
};

export interface KernelSettings {
  optimizer: 'adam' | 'sgd';
  /** Whether l1 or l2 is not zero. */
  decay: boolean;
  /** Whether some weights of a dense network are held at zero. */
  masked: boolean;
}

/** Scalars that change from step to step, each splatted over 16 bytes; they are loaded after the summing loops, where
 * registers are free. */
const CONSTANTS = 1024;
export const CONSTANT = {
  /** adam: 1 - beta1; sgd: momentum. */
  first: CONSTANTS,
  beta2: CONSTANTS + 16,
  oneMinusBeta2: CONSTANTS + 32,
  /** adam: learningRate / (1 - beta1^t); sgd: learningRate. */
  rate: CONSTANTS + 48,
  /** 1 / sqrt(1 - beta2^t). */
  correction: CONSTANTS + 64,
  epsilon: CONSTANTS + 80,
  l1: CONSTANTS + 96,
  l2: CONSTANTS + 112,
  /** 1 / images of the batch. */
  perImage: CONSTANTS + 128,
} as const;
const SCRATCH = 2048;
/** The first address that a layout may use. */
export const HEAP = 4096;

/**
 * Added and taken away again, this rounds to multiples of 2^-123 and so turns what is below 5e-38 into 0: strict
 * WebAssembly has no flush-to-zero, and one denormal operand costs some 100 cycles.
 */
const FLUSH = 1e-30;
const flushed = (value: Expression): Expression => f32x4.sub(f32x4.add(value, f32x4.const(FLUSH)), f32x4.const(FLUSH));

/** What a pixel's byte is multiplied by. */
export const PIXEL_SCALE = Math.fround(1 / 255);

/** Probabilities below this are taken for 0, so that gradients stay far from denormals. */
const NO_PROBABILITY = 1e-12;

const range = (count: number) => [...Array(count).keys()];
const madd = (sum: Operand, a: Operand, b: Operand) => f32x4.add(sum, f32x4.mul(a, b));
const zero = f32x4.const(0);

/**
 * Applies a gradient to one vector of weights at `w`, moments at `m` and `v`.
 * adam (Kingma and Ba 2015): m += (1-b1)(g-m); v = b2 v + (1-b2) g^2; w -= rate m / (correction sqrt(v) + epsilon).
 * sgd: m = momentum m + g; w -= rate m.
 */
function update(body: Body, settings: KernelSettings, gradient: Operand, w: Local, m: Local, v: Local): void {
  const g = body.local('v128', gradient);
  if (settings.decay) {
    const weight = body.local('v128', v128.load(w));
    const sign = v128.or(
      v128.and(f32x4.gt(weight, zero), f32x4.const(1)),
      v128.and(f32x4.gt(zero, weight), f32x4.const(-1)),
    );
    body.set(g, madd(madd(g, weight, v128.load(CONSTANT.l2)), sign, v128.load(CONSTANT.l1)));
  }
  const moment = body.local('v128');
  if (settings.optimizer === 'sgd') {
    body.set(moment, flushed(madd(g, v128.load(m), v128.load(CONSTANT.first))));
    body.storeV128(m, moment);
    body.storeV128(w, f32x4.sub(v128.load(w), f32x4.mul(v128.load(CONSTANT.rate), moment)));
    return;
  }
  body.set(moment, v128.load(m));
  body.set(moment, flushed(madd(moment, v128.load(CONSTANT.first), f32x4.sub(g, moment))));
  body.storeV128(m, moment);
  const square = body.local('v128');
  const decayed = f32x4.mul(v128.load(CONSTANT.beta2), v128.load(v));
  body.set(square, flushed(madd(decayed, v128.load(CONSTANT.oneMinusBeta2), f32x4.mul(g, g))));
  body.storeV128(v, square);
  const scale = madd(v128.load(CONSTANT.epsilon), f32x4.sqrt(square), v128.load(CONSTANT.correction));
  body.storeV128(w, f32x4.sub(v128.load(w), f32x4.div(f32x4.mul(v128.load(CONSTANT.rate), moment), scale)));
}

/**
 * The list times the matrix, `width` vectors of columns.
 *
 * `listStride` is the distance from a row's first table entry to the next row's (4 bytes, or 4 x blocks when a row's
 * list is cut into blocks whose matrix rows fit the first-level cache: 25 % on fc1).
 * With `mask`, `aux` is what must be above zero for the sum to be kept. With `update`, `out` is the weights and `aux`
 * the distance from weights to first moments, to second moments, to the mask.
 */
function listTimesMatrix(assembler: Assembler, width: number, epilogue: Epilogue, settings: KernelSettings): void {
  const parameters = [
    'rows',
    'list',
    'listStride',
    'matrix',
    'matrixStride',
    'out',
    'outStride',
    'aux',
    'auxStride',
  ] as const;
  assembler.define(`${epilogue}${width}`, parameters, (body, p) => {
    const entry = body.local('i32');
    const end = body.local('i32');
    const row = body.local('i32');
    const value = body.local('v128');
    const sums = range(width).map(() => body.local('v128'));
    // V8 keeps the order of loads, and emits sums that go straight to memory from first to last, others from last to
    // first. In the other order loads pile up before their sums and registers spill: 13 of 13, and half the speed.
    const straight = epilogue === 'store' || epilogue === 'update';
    const inOrder = <T>(items: T[]): T[] => (straight ? items : items.reverse());
    body.repeat(p.rows, () => {
      body.set(entry, i32.load(p.list));
      body.set(end, i32.load(p.list, 4));
      body.advance(p.list, p.listStride);
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(entry, end), () => {
        body.set(value, v128.loadSplat32(entry, 4));
        body.set(row, i32.add(p.matrix, i32.mul(i32.load(entry), p.matrixStride)));
        for (const [i, sum] of inOrder([...sums.entries()])) body.set(sum, madd(sum, value, v128.load(row, 16 * i)));
        body.advance(entry, 8);
      });
      if (epilogue === 'update') updateRow(body, settings, sums, p.out, p.aux);
      else {
        for (const [i, sum] of sums.entries()) {
          let result: Operand = sum;
          if (epilogue === 'add' || epilogue === 'addRelu') result = f32x4.add(v128.load(p.out, 16 * i), result);
          if (epilogue === 'relu' || epilogue === 'addRelu') result = f32x4.pmax(result, zero);
          if (epilogue === 'mask') result = v128.and(result, f32x4.gt(v128.load(p.aux, 16 * i), zero));
          body.storeV128(p.out, result, 16 * i);
        }
        if (epilogue === 'mask') body.advance(p.aux, p.auxStride);
      }
      body.advance(p.out, p.outStride);
    });
  });
}

/** The optimiser's step on a row of weights whose gradient is in registers: it is never written to a gradient matrix. */
function updateRow(body: Body, settings: KernelSettings, sums: Local[], weights: Local, distance: Local): void {
  for (const [i, sum] of sums.entries()) body.storeV128(SCRATCH, sum, 16 * i);
  const offset = body.local('i32', 0);
  const w = body.local('i32', weights);
  const m = body.local('i32', i32.add(w, distance));
  const v = body.local('i32', i32.add(m, distance));
  const mask = body.local('i32', i32.add(v, distance));
  body.while(i32.ltU(offset, 16 * sums.length), () => {
    const gradient = v128.load(offset, SCRATCH);
    update(body, settings, settings.masked ? v128.and(gradient, v128.load(mask)) : gradient, w, m, v);
    for (const pointer of [offset, w, m, v, mask]) body.advance(pointer, 16);
  });
}

/** The optimiser's step on `vectors` vectors of weights with their gradients in memory. */
function updateFlat(assembler: Assembler, settings: KernelSettings): void {
  assembler.define('updateFlat', ['vectors', 'w', 'm', 'v', 'gradient'], (body, p) => {
    body.repeat(p.vectors, () => {
      update(body, settings, v128.load(p.gradient), p.w, p.m, p.v);
      for (const pointer of [p.w, p.m, p.v, p.gradient]) body.advance(pointer, 16);
    });
  });
}

/**
 * Reads a byte of each cache line of a batch's images. They lie scattered over the data set; this way their misses
 * overlap, where a loop over their pixels waits for one after another (IMPROVEMENT).
 */
function touchImages(body: Body, p: { images: Local; order: Local; starts: Local; pixels: Local }): void {
  const sum = body.local('i32', 0);
  const order = body.local('i32', p.order);
  const at = body.local('i32');
  const end = body.local('i32');
  body.repeat(p.images, () => {
    const start = body.local('i32', i32.add(p.starts, i32.shl(i32.load(order), 2)));
    body.set(at, i32.add(p.pixels, i32.shl(i32.load(start, 0, 1), 2)));
    body.set(end, i32.add(p.pixels, i32.shl(i32.load(start, 4, 1), 2)));
    body.while(i32.ltU(at, end), () => {
      body.advance(sum, i32.load8U(at, 0, 1));
      body.advance(at, 64);
    });
    body.advance(order, 4);
  });
  body.storeI32(SCRATCH, sum);
}

/** The same for a batch's rows of bytes. */
function touchRows(body: Body, p: { sixteens: Local; order: Local; source: Local; rowBytes: Local }): void {
  const sum = body.local('i32', 0);
  const order = body.local('i32', p.order);
  const at = body.local('i32');
  const end = body.local('i32');
  body.repeat(i32.shl(p.sixteens, 4), () => {
    body.set(at, i32.add(p.source, i32.mul(i32.load(order), p.rowBytes)));
    body.set(end, i32.add(at, p.rowBytes));
    body.while(i32.ltU(at, end), () => {
      body.advance(sum, i32.load8U(at, 0, 1));
      body.advance(at, 64);
    });
    body.advance(order, 4);
  });
  body.storeI32(SCRATCH, sum);
}

/** Appends {index, value} at `entry`. */
function append(body: Body, entry: Local, index: Operand, value: Expression): void {
  body.storeI32(entry, index);
  body.storeF32(entry, value, 4);
}

/**
 * The lists of a batch's images, from the shared data set: pixel values through the table `scale` (u8 to f32), cut
 * into blocks before the inputs `cuts[k]`, the bias's entry last. Counts each input's entries (x 8) for `columns`.
 */
function gatherImages(assembler: Assembler): void {
  const parameters = [
    'images',
    'order',
    'starts',
    'pixels',
    'scale',
    'cuts',
    'blocks',
    'bias',
    'entries',
    'list',
    'counts',
  ] as const;
  assembler.define('gatherImages', parameters, (body, p) => {
    const entry = body.local('i32', p.entries);
    const at = body.local('i32');
    const end = body.local('i32');
    const pixel = body.local('i32');
    const index = body.local('i32');
    const counter = body.local('i32');
    const cut = body.local('i32');
    const count = (which: Operand) => {
      body.set(counter, i32.add(p.counts, i32.shl(which, 2)));
      body.storeI32(counter, i32.add(i32.load(counter), 8));
    };
    touchImages(body, p);
    body.repeat(p.images, () => {
      const start = body.local('i32', i32.add(p.starts, i32.shl(i32.load(p.order), 2)));
      body.set(at, i32.add(p.pixels, i32.shl(i32.load(start, 0, 1), 2)));
      body.set(end, i32.add(p.pixels, i32.shl(i32.load(start, 4, 1), 2)));
      body.advance(p.order, 4);
      body.repeat(p.blocks, (block) => {
        body.storeI32(p.list, entry);
        body.advance(p.list, 4);
        body.set(cut, i32.load(i32.add(p.cuts, i32.shl(block, 2))));
        const next = i32.and(i32.load(at, 0, 1), 0xffff);
        body.while(i32.and(i32.ltU(at, end), i32.ltU(next, cut)), () => {
          body.set(pixel, i32.load(at, 0, 1));
          body.set(index, i32.and(pixel, 0xffff));
          append(body, entry, index, f32.load(i32.add(p.scale, i32.shl(i32.shrU(pixel, 16), 2))));
          body.advance(entry, 8);
          count(index);
          body.advance(at, 4);
        });
      });
      append(body, entry, p.bias, f32.const(1));
      body.advance(entry, 8);
      count(p.bias);
    });
    body.storeI32(p.list, entry);
  });
}

/**
 * The lists of a batch's hidden activations: what is not zero in each row of `source`. An entry is written for every
 * element and kept by moving on, which needs no branch.
 */
function gatherActive(assembler: Assembler): void {
  const parameters = [
    ...(['images', 'source', 'sourceStride', 'cuts', 'blocks'] as const),
    ...(['bias', 'entries', 'list', 'counts'] as const),
  ];
  assembler.define('gatherActive', parameters, (body, p) => {
    const entry = body.local('i32', p.entries);
    const index = body.local('i32');
    const at = body.local('i32');
    const counter = body.local('i32');
    const kept = body.local('i32');
    const cut = body.local('i32');
    body.repeat(p.images, () => {
      body.set(index, 0);
      body.set(at, p.source);
      body.set(counter, p.counts);
      body.repeat(p.blocks, (block) => {
        body.storeI32(p.list, entry);
        body.advance(p.list, 4);
        body.set(cut, i32.load(i32.add(p.cuts, i32.shl(block, 2))));
        body.while(i32.ltU(index, cut), () => {
          append(body, entry, index, f32.load(at));
          body.set(kept, i32.shl(f32.ne(f32.load(at), f32.const(0)), 3));
          body.storeI32(counter, i32.add(i32.load(counter), kept));
          body.advance(entry, kept);
          body.advance(index, 1);
          body.advance(at, 4);
          body.advance(counter, 4);
        });
      });
      append(body, entry, p.bias, f32.const(1));
      body.advance(entry, 8);
      body.set(counter, i32.add(p.counts, i32.shl(p.bias, 2)));
      body.storeI32(counter, i32.add(i32.load(counter), 8));
      body.advance(p.source, p.sourceStride);
    });
    body.storeI32(p.list, entry);
  });
}

/** The lists of a batch's output gradients: as `gatherActive`, without blocks, bias and counts. */
function gatherGradients(assembler: Assembler): void {
  const parameters = ['images', 'source', 'sourceStride', 'width', 'entries', 'list'] as const;
  assembler.define('gatherGradients', parameters, (body, p) => {
    const entry = body.local('i32', p.entries);
    const at = body.local('i32');
    body.repeat(p.images, () => {
      body.storeI32(p.list, entry);
      body.advance(p.list, 4);
      body.set(at, p.source);
      body.repeat(p.width, (index) => {
        append(body, entry, index, f32.load(at));
        body.advance(entry, i32.shl(f32.ne(f32.load(at), f32.const(0)), 3));
        body.advance(at, 4);
      });
      body.advance(p.source, p.sourceStride);
    });
    body.storeI32(p.list, entry);
  });
}

/** The same entries by column: for each input the images in which it is not zero, in order (a counting sort). */
function columns(assembler: Assembler): void {
  const parameters = ['images', 'blocks', 'list', 'columns', 'counts', 'entries', 'out'] as const;
  assembler.define('columns', parameters, (body, p) => {
    const next = body.local('i32', p.entries);
    const counter = body.local('i32', p.counts);
    const length = body.local('i32');
    body.repeat(p.columns, () => {
      body.set(length, i32.load(counter));
      body.storeI32(p.out, next);
      body.storeI32(counter, next);
      body.advance(next, length);
      body.advance(counter, 4);
      body.advance(p.out, 4);
    });
    body.storeI32(p.out, next);
    const entry = body.local('i32');
    const end = body.local('i32');
    const target = body.local('i32');
    body.repeat(p.images, (image) => {
      body.set(entry, i32.load(p.list));
      body.advance(p.list, i32.shl(p.blocks, 2));
      body.set(end, i32.load(p.list));
      body.while(i32.ltU(entry, end), () => {
        body.set(counter, i32.add(p.counts, i32.shl(i32.load(entry), 2)));
        body.set(target, i32.load(counter));
        body.storeI32(counter, i32.add(target, 8));
        append(body, target, image, f32.load(entry, 4));
        body.advance(entry, 8);
      });
    });
  });
}

/** Rows and columns exchanged, in squares of four: `rows` and `columns` are multiples of 4, strides in bytes. */
function transpose(assembler: Assembler): void {
  const parameters = ['rows', 'columns', 'source', 'sourceStride', 'out', 'outStride'] as const;
  assembler.define('transpose', parameters, (body, p) => {
    const from = body.local('i32');
    const to = body.local('i32');
    body.repeat(i32.shrU(p.rows, 2), () => {
      body.set(from, p.source);
      body.set(to, p.out);
      body.repeat(i32.shrU(p.columns, 2), () => {
        const row = body.local('i32', from);
        const square: Local[] = [];
        for (const i of range(4)) {
          square.push(body.local('v128', v128.load(row)));
          if (i < 3) body.advance(row, p.sourceStride);
        }
        const [a, b, c, d] = square as [Local, Local, Local, Local];
        const [lowAB, highAB] = [body.local('v128', v128.shuffle(a, b, [0, 4, 1, 5])), body.local('v128')];
        body.set(highAB, v128.shuffle(a, b, [2, 6, 3, 7]));
        const [lowCD, highCD] = [body.local('v128', v128.shuffle(c, d, [0, 4, 1, 5])), body.local('v128')];
        body.set(highCD, v128.shuffle(c, d, [2, 6, 3, 7]));
        body.set(row, to);
        for (const result of [
          v128.shuffle(lowAB, lowCD, [0, 1, 4, 5]),
          v128.shuffle(lowAB, lowCD, [2, 3, 6, 7]),
          v128.shuffle(highAB, highCD, [0, 1, 4, 5]),
          v128.shuffle(highAB, highCD, [2, 3, 6, 7]),
        ]) {
          body.storeV128(row, result);
          body.advance(row, p.outStride);
        }
        body.advance(from, 16);
        body.set(to, row);
      });
      body.advance(p.source, i32.shl(p.sourceStride, 2));
      body.advance(p.out, 16);
    });
  });
}

/** Copies `rows` rows of `vectors` vectors: a panel's gradients side by side, so that they stay in the first-level cache. */
function copyRows(assembler: Assembler): void {
  const parameters = ['rows', 'vectors', 'source', 'sourceStride', 'out'] as const;
  assembler.define('copyRows', parameters, (body, p) => {
    const from = body.local('i32');
    body.repeat(p.rows, () => {
      body.set(from, p.source);
      body.repeat(p.vectors, () => {
        body.storeV128(p.out, v128.load(from));
        body.advance(from, 16);
        body.advance(p.out, 16);
      });
      body.advance(p.source, p.sourceStride);
    });
  });
}

/**
 * e^x for x <= 0 to 2 ulp, by Cephes' expf: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2], from operations whose
 * rounding IEEE 754 fixes.
 */
function exponential(body: Body, argument: Expression): Local {
  const x = body.local('v128', f32x4.pmax(argument, f32x4.const(-87)));
  const n = body.local('v128', f32x4.nearest(f32x4.mul(x, f32x4.const(Math.LOG2E))));
  const high = f32x4.sub(x, f32x4.mul(n, f32x4.const(0.693359375)));
  const r = body.local('v128', f32x4.sub(high, f32x4.mul(n, f32x4.const(-2.1219444e-4))));
  const y = body.local('v128', f32x4.const(1.987569115e-4));
  for (const coefficient of [1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])
    body.set(y, f32x4.add(f32x4.mul(y, r), f32x4.const(coefficient)));
  body.set(y, f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(r, r), y), r), f32x4.const(1)));
  const power = i32x4.shl(i32x4.add(i32x4.truncSatF32x4(n), i32x4.const(127)), 23);
  body.set(y, f32x4.mul(y, power));
  return y;
}

/**
 * Logits to the gradient of the mean cross-entropy, in place: (softmax - one-hot) / images. `logits` is
 * [classes, lanes], rows `stride` bytes apart, `lanes` a multiple of 4 of which the first `images` count and the others
 * become 0. Leaves in `chosen` each image's label's probability / images, and in `peak` the largest, equal when right.
 */
function softmax(assembler: Assembler): void {
  const parameters = ['lanes', 'images', 'classes', 'logits', 'stride', 'order', 'labels', 'chosen', 'peak'] as const;
  assembler.define('softmax', parameters, (body, p) => {
    const at = body.local('i32');
    const column = body.local('i32', p.logits);
    const largest = body.local('v128');
    const sum = body.local('v128');
    const overClasses = (statements: () => void) => {
      body.set(at, column);
      body.repeat(p.classes, () => {
        statements();
        body.advance(at, p.stride);
      });
    };
    const peak = body.local('i32', p.peak);
    body.repeat(i32.shrU(p.lanes, 2), () => {
      body.set(largest, v128.load(column));
      overClasses(() => body.set(largest, f32x4.pmax(largest, v128.load(at))));
      body.set(sum, zero);
      overClasses(() => {
        const power = exponential(body, f32x4.sub(v128.load(at), largest));
        body.set(sum, f32x4.add(sum, power));
        body.storeV128(at, power);
      });
      const share = body.local('v128', f32x4.div(f32x4.const(1), sum));
      const perImage = v128.load(CONSTANT.perImage);
      overClasses(() => {
        const probability = body.local('v128', f32x4.mul(v128.load(at), share));
        const kept = v128.and(probability, f32x4.gt(probability, f32x4.const(NO_PROBABILITY)));
        body.storeV128(at, f32x4.mul(kept, perImage));
      });
      body.storeV128(peak, f32x4.mul(share, perImage));
      body.advance(peak, 16);
      body.advance(column, 16);
    });
    const lane = body.local('i32', 0);
    body.while(i32.ltU(lane, p.images), () => {
      const label = i32.load8U(i32.add(p.labels, i32.load(p.order)), 0, 1);
      body.set(at, i32.add(i32.add(p.logits, i32.mul(label, p.stride)), i32.shl(lane, 2)));
      body.storeF32(p.chosen, f32.load(at));
      body.storeF32(at, f32.sub(f32.load(at), f32.load(CONSTANT.perImage)));
      for (const pointer of [p.order, p.chosen]) body.advance(pointer, 4);
      body.advance(lane, 1);
    });
    body.while(i32.ltU(lane, p.lanes), () => {
      body.set(at, i32.add(p.logits, i32.shl(lane, 2)));
      body.repeat(p.classes, () => {
        body.storeF32(at, f32.const(0));
        body.advance(at, p.stride);
      });
      body.advance(lane, 1);
    });
  });
}

/**
 * The batch's images by feature, for a pruned network: bytes [images, rowBytes] in groups of 16 pixels to rows of
 * float32, `pixels` byte / 255. `groups` are the byte offsets of the groups that some survivor reads, `rows` the byte
 * offset in `out` of each pixel's row (pixels that nobody reads share one). Images in fours: a square of 16 pixels and 4
 * images is turned in registers (25 us a batch, where scattering the non-zero pixels took 70).
 */
function gatherPixels(assembler: Assembler): void {
  const parameters = ['sixteens', 'order', 'source', 'rowBytes', 'groups', 'groupTable', 'rows', 'out'] as const;
  assembler.define('gatherPixels', parameters, (body, p) => {
    const offset = body.local('i32');
    const order = body.local('i32');
    const row = body.local('i32');
    const out = body.local('i32');
    touchRows(body, p);
    body.repeat(p.sixteens, () => {
      const group = body.local('i32', p.groupTable);
      body.repeat(p.groups, () => {
        body.set(offset, i32.load(group));
        body.advance(group, 4);
        body.set(row, i32.add(p.rows, i32.shl(offset, 2)));
        body.set(order, p.order);
        body.set(out, p.out);
        body.repeat(4, () => {
          const image = (i: number) => i32.add(p.source, i32.mul(i32.load(order, 4 * i), p.rowBytes));
          turnSquare(
            body,
            range(4).map((i) => v128.load(i32.add(image(i), offset), 0, 1)),
            (pixel, values) =>
              body.storeV128(i32.add(out, i32.load(row, 4 * pixel)), f32x4.mul(values, f32x4.const(PIXEL_SCALE))),
          );
          body.advance(order, 16);
          body.advance(out, 16);
        });
      });
      body.advance(p.order, 64);
      body.advance(p.out, 64);
    });
  });
}

/** Bytes of 16 pixels of four images to 16 vectors of one pixel of the four, as float32. */
function turnSquare(body: Body, images: Expression[], store: (pixel: number, values: Expression) => void): void {
  const [a, b, c, d] = images.map((image) => body.local('v128', image)) as [Local, Local, Local, Local];
  for (const half of [0, 8]) {
    const bytes = range(8).flatMap((i) => [half + i, half + i + 16]);
    const ab = body.local('v128', v128.shuffle(a, b, bytes));
    const cd = body.local('v128', v128.shuffle(c, d, bytes));
    for (const quarter of [0, 4]) {
      const pairs = range(4).flatMap((i) => [quarter + i, quarter + i + 8]);
      const four = body.local('v128', v128.shuffle(ab, cd, pairs));
      for (const [eighth, widened] of [widen.low8(four), widen.high8(four)].entries()) {
        const two = body.local('v128', widened);
        for (const [i, one] of [widen.low16(two), widen.high16(two)].entries())
          store(half + quarter + 2 * eighth + i, i32x4.toF32x4(one));
      }
    }
  }
}

/** Copies values into the entries that they belong to: entry i gets the value at `values + positions[i]`. */
function refresh(assembler: Assembler): void {
  assembler.define('refresh', ['count', 'positions', 'values', 'entries'], (body, p) => {
    body.repeat(p.count, () => {
      body.storeF32(p.entries, f32.load(i32.add(p.values, i32.load(p.positions))), 4);
      body.advance(p.positions, 4);
      body.advance(p.entries, 8);
    });
  });
}

/** Lanes of four vectors summed to one vector, one sum a lane: ((0+1)+(2+3)) of each. */
function sumsOfLanes(a: Operand, b: Operand, c: Operand, d: Operand): Expression {
  const pairs = (x: Operand, y: Operand, lanes: [number, number, number, number]) => v128.shuffle(x, y, lanes);
  const [lowAB, highAB] = [pairs(a, b, [0, 4, 1, 5]), pairs(a, b, [2, 6, 3, 7])];
  const [lowCD, highCD] = [pairs(c, d, [0, 4, 1, 5]), pairs(c, d, [2, 6, 3, 7])];
  return f32x4.add(
    f32x4.add(v128.shuffle(lowAB, lowCD, [0, 1, 4, 5]), v128.shuffle(lowAB, lowCD, [2, 3, 6, 7])),
    f32x4.add(v128.shuffle(highAB, highCD, [0, 1, 4, 5]), v128.shuffle(highAB, highCD, [2, 3, 6, 7])),
  );
}

/** Survivors per turn of `sampledRow` and `sampledAny`: as many as the registers carry. */
export const ROW_GROUP = 5;
export const ANY_GROUP = 3;

/**
 * Gradients of surviving weights that share a unit, five at a time: dot products over the images of one row of output
 * gradients with five rows of inputs. `groups` is {row offset, first survivor x 4} each; a group that reaches past its
 * unit's survivors writes values that the next group overwrites. Needs images in multiples of 8.
 */
function sampledRow(assembler: Assembler): void {
  const parameters = ['bytes', 'groups', 'table', 'inputOffsets', 'inputs', 'gradients', 'out'] as const;
  assembler.define('sampledRow', parameters, (body, p) => {
    const first = body.local('i32');
    const at = body.local('i32');
    const end = body.local('i32');
    const rows = range(ROW_GROUP).map(() => body.local('i32'));
    const sums = range(2 * ROW_GROUP).map(() => body.local('v128'));
    const halves = [body.local('v128'), body.local('v128')];
    body.repeat(p.groups, () => {
      body.set(at, i32.add(p.gradients, i32.load(p.table)));
      body.set(first, i32.load(p.table, 4));
      body.advance(p.table, 8);
      body.set(end, i32.add(at, p.bytes));
      const offsets = i32.add(p.inputOffsets, first);
      for (const [i, row] of rows.entries()) body.set(row, i32.add(p.inputs, i32.load(offsets, 4 * i)));
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(at, end), () => {
        for (const [half, gradient] of halves.entries()) body.set(gradient, v128.load(at, 16 * half));
        for (const [i, row] of [...rows.entries()].reverse())
          for (const half of [1, 0])
            body.set(sums[2 * i + half]!, madd(sums[2 * i + half]!, halves[half]!, v128.load(row, 16 * half)));
        for (const row of rows) body.advance(row, 32);
        body.advance(at, 32);
      });
      for (const i of range(ROW_GROUP)) body.set(sums[i]!, f32x4.add(sums[2 * i]!, sums[2 * i + 1]!));
      const [a, b, c, d, e] = sums as [Local, Local, Local, Local, Local];
      body.storeV128(i32.add(p.out, first), sumsOfLanes(a, b, c, d));
      body.storeLane0(i32.add(p.out, first), sumsOfLanes(e, e, e, e), 16);
    });
  });
}

/** Gradients of surviving weights of any units, three at a time. Needs images in multiples of 16. */
function sampledAny(assembler: Assembler): void {
  const parameters = ['bytes', 'groups', 'inputOffsets', 'gradientOffsets', 'inputs', 'gradients', 'out'] as const;
  assembler.define('sampledAny', parameters, (body, p) => {
    const inputs = range(ANY_GROUP).map(() => body.local('i32'));
    const gradients = range(ANY_GROUP).map(() => body.local('i32'));
    const sums = range(4 * ANY_GROUP).map(() => body.local('v128'));
    const end = body.local('i32');
    body.repeat(p.groups, () => {
      for (const i of range(ANY_GROUP)) {
        body.set(inputs[i]!, i32.add(p.inputs, i32.load(p.inputOffsets, 4 * i)));
        body.set(gradients[i]!, i32.add(p.gradients, i32.load(p.gradientOffsets, 4 * i)));
      }
      body.set(end, i32.add(gradients[0]!, p.bytes));
      for (const sum of sums) body.set(sum, zero);
      body.while(i32.ltU(gradients[0]!, end), () => {
        for (const i of range(ANY_GROUP))
          for (const part of range(4)) {
            const product = f32x4.mul(v128.load(gradients[i]!, 16 * part), v128.load(inputs[i]!, 16 * part));
            body.set(sums[4 * i + part]!, f32x4.add(sums[4 * i + part]!, product));
          }
        for (const row of [...inputs, ...gradients]) body.advance(row, 64);
      });
      for (const i of range(ANY_GROUP)) {
        const [a, b, c, d] = sums.slice(4 * i, 4 * i + 4) as [Local, Local, Local, Local];
        body.set(sums[i]!, f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
      }
      const [a, b, c] = sums as [Local, Local, Local];
      body.storeV128(p.out, sumsOfLanes(a, b, c, c));
      for (const pointer of [p.inputOffsets, p.gradientOffsets, p.out]) body.advance(pointer, 4 * ANY_GROUP);
    });
  });
}

/** Sums of rows over `bytes` bytes (a multiple of 32): the gradients of a pruned network's biases. */
function rowSums(assembler: Assembler): void {
  assembler.define('rowSums', ['rows', 'bytes', 'source', 'sourceStride', 'out'], (body, p) => {
    const sums = [body.local('v128'), body.local('v128')] as const;
    const at = body.local('i32');
    const end = body.local('i32');
    body.repeat(p.rows, () => {
      for (const sum of sums) body.set(sum, zero);
      body.set(at, p.source);
      body.set(end, i32.add(at, p.bytes));
      body.while(i32.ltU(at, end), () => {
        for (const [i, sum] of sums.entries()) body.set(sum, f32x4.add(sum, v128.load(at, 16 * i)));
        body.advance(at, 32);
      });
      body.set(sums[0], f32x4.add(sums[0], sums[1]));
      body.storeLane0(p.out, sumsOfLanes(sums[0], sums[0], sums[0], sums[0]));
      body.advance(p.out, 4);
      body.advance(p.source, p.sourceStride);
    });
  });
}

/** How many of `vectors` x 4 floats in each of `rows` rows are above zero. */
function countPositive(assembler: Assembler): void {
  assembler.define(
    'countPositive',
    ['rows', 'vectors', 'source', 'sourceStride'],
    (body, p) => {
      const count = body.local('v128', i32x4.const(0));
      const at = body.local('i32');
      body.repeat(p.rows, () => {
        body.set(at, p.source);
        body.repeat(p.vectors, () => {
          body.set(count, i32x4.sub(count, f32x4.gt(v128.load(at), zero)));
          body.advance(at, 16);
        });
        body.advance(p.source, p.sourceStride);
      });
      const lanes = range(4).map((lane) => i32x4.extractLane(lane, count));
      body.result(lanes.reduce((sum, lane) => i32.add(sum, lane)));
    },
    ['i32'],
  );
}

export type Kernel = (...parameters: number[]) => number;
export type Kernels = Record<string, Kernel>;

const EPILOGUES: Epilogue[] = ['store', 'add', 'relu', 'addRelu', 'mask', 'update'];
const modules = new Map<string, WebAssembly.Module>();

/** The kernels for one kind of training over a worker's own memory and the shared data set. */
export function instantiate(settings: KernelSettings, own: WebAssembly.Memory, shared: WebAssembly.Memory): Kernels {
  const key = JSON.stringify([settings.optimizer, settings.decay, settings.masked]);
  let module = modules.get(key);
  if (module === undefined) {
    const assembler = new Assembler();
    for (const epilogue of EPILOGUES)
      for (const width of WIDTHS.keys()) listTimesMatrix(assembler, width, epilogue, settings);
    updateFlat(assembler, settings);
    for (const define of [
      ...[gatherImages, gatherActive, gatherGradients, columns, transpose, copyRows, softmax],
      ...[gatherPixels, refresh, sampledRow, sampledAny, rowSums, countPositive],
    ])
      define(assembler);
    module = new WebAssembly.Module(assembler.assemble());
    modules.set(key, module);
  }
  return new WebAssembly.Instance(module, { memory: { own, shared } }).exports as Kernels;
}
