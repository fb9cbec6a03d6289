/** Sparse lists, made for each batch: of its images' pixels, of what is active, of gradients, and all by column. */
import {
  type Assembler,
  type Body,
  type Expression,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  type Operand,
  v128,
} from '../assembler';
import { touch } from './touch';
import { append, ENTRY, ENTRY_SHIFT, range, zero } from './vocabulary';

function appendBias(body: Body, entry: Local, bias: Local): void {
  append(body, entry, bias, f32.const(1));
  body.advance(entry, ENTRY);
}

/** Counts each input's entries as lists are made: none yet, but the bias's, one an image. */
function beginCounts(body: Body, p: Record<'images' | 'bias' | 'counts', Local>): void {
  body.fill(p.counts, 0, i32.shl(i32.add(p.bias, 2), 2));
  body.storeI32(i32.add(p.counts, i32.shl(p.bias, 2)), p.images);
}

/** Makes a list's entries even in number, with an entry of value 0 where need be; lists begin at multiples of 16. */
function endList(body: Body, entry: Local, filler: Operand): void {
  append(body, entry, filler, f32.const(0));
  body.set(entry, i32.and(i32.add(entry, ENTRY), -2 * ENTRY));
}

/**
 * The lists of a batch's images, from the shared data set: the bias's entry, then pixel values through the table `scale`
 * (u8 to f32), cut into blocks before the inputs `cuts[k]`.
 */
export function gatherImages(assembler: Assembler): void {
  const parameters = [
    ...(['images', 'order', 'starts', 'pixels', 'scale'] as const),
    ...(['cuts', 'blocks', 'bias', 'entries', 'list', 'counts'] as const),
  ];
  assembler.define('gatherImages', parameters, (body, p) => {
    const entry = body.local('i32', p.entries);
    const at = body.local('i32');
    const end = body.local('i32');
    const pixel = body.local('i32');
    const counter = body.local('i32');
    const cut = body.local('i32');
    beginCounts(body, p);
    const pixelsOf = (start: Expression, offset: number) => i32.add(p.pixels, i32.shl(i32.load(start, offset, 1), 2));
    touch(body, p.images, p.order, (image) => {
      const start = i32.add(p.starts, i32.shl(image, 2));
      return { start: pixelsOf(start, 0), end: () => pixelsOf(start, 4) };
    });
    body.repeat(p.images, () => {
      const start = body.local('i32', i32.add(p.starts, i32.shl(i32.load(p.order), 2)));
      body.set(at, i32.add(p.pixels, i32.shl(i32.load(start, 0, 1), 2)));
      body.set(end, i32.add(p.pixels, i32.shl(i32.load(start, 4, 1), 2)));
      body.advance(p.order, 4);
      body.storeI32(p.list, entry);
      appendBias(body, entry, p.bias);
      body.repeat(p.blocks, (block) => {
        body.advance(p.list, 4);
        body.set(cut, i32.load(i32.add(p.cuts, i32.shl(block, 2))));
        const next = i32.and(i32.load(at, 0, 1), 0xffff);
        body.while(i32.and(i32.ltU(at, end), i32.ltU(next, cut)), () => {
          body.set(pixel, i32.load(at, 0, 1));
          const value = f32.load(i32.add(p.scale, i32.shl(i32.shrU(pixel, 16), 2)));
          body.set(counter, i32.add(p.counts, i32.shl(i32.and(pixel, 0xffff), 2)));
          body.storeI32(counter, i32.add(i32.load(counter), 1));
          append(body, entry, i32.and(pixel, 0xffff), value);
          body.advance(entry, ENTRY);
          body.advance(at, 4);
        });
        endList(body, entry, i32.add(p.bias, 1));
        body.storeI32(p.list, entry);
      });
    });
  });
}

/**
 * The lists of what is not zero in each row of `source`: a batch's hidden activations, cut into blocks and with the
 * bias's entry, or its output gradients, without. Elements in fours, of which the cuts are multiples. An entry is written
 * for every element and kept by moving on, which needs no branch (0.97 ns an element became 0.50).
 */
export function gatherRows(assembler: Assembler, kind: 'activations' | 'gradients'): void {
  const parameters = [
    ...(['images', 'source', 'sourceStride', 'cuts', 'blocks'] as const),
    ...(['bias', 'entries', 'list', 'counts'] as const),
  ];
  const hasBias = kind === 'activations';
  assembler.define(hasBias ? 'gatherActivations' : 'gatherGradients', parameters, (body, p) => {
    const entry = body.local('i32', p.entries);
    const at = body.local('i32');
    const cut = body.local('i32');
    const indices = body.local('v128');
    const [values, active, pair] = [body.local('v128'), body.local('v128'), body.local('v128')];
    // Bit 3 and up: whether an element is kept, times the bytes of an entry.
    const kept = body.local('i32');
    const four = body.local('v128', i32x4.const(4));
    const counter = body.local('i32');
    if (hasBias) beginCounts(body, p);
    body.repeat(p.images, () => {
      body.set(at, p.source);
      body.set(indices, i32x4.lanes(0, 1, 2, 3));
      body.set(counter, p.counts);
      body.storeI32(p.list, entry);
      if (hasBias) appendBias(body, entry, p.bias);
      body.repeat(p.blocks, (block) => {
        body.advance(p.list, 4);
        body.set(cut, i32.add(p.source, i32.shl(i32.load(i32.add(p.cuts, i32.shl(block, 2))), 2)));
        body.while(i32.ltU(at, cut), () => {
          body.set(values, v128.load(at));
          body.set(active, f32x4.ne(values, zero));
          if (hasBias) {
            // What is true is -1.
            body.storeV128(counter, i32x4.sub(v128.load(counter), active));
            body.advance(counter, 16);
          }
          body.set(kept, i32.shl(i32x4.bitmask(active), ENTRY_SHIFT));
          for (const element of range(4)) {
            const lanes: [number, number, number, number] = element < 2 ? [0, 4, 1, 5] : [2, 6, 3, 7];
            if (element % 2 === 0) body.set(pair, v128.shuffle(indices, values, lanes));
            body.storeHalf((element % 2) as 0 | 1, entry, pair);
            body.advance(entry, i32.and(element === 0 ? kept : i32.shrU(kept, element), ENTRY));
          }
          body.set(indices, i32x4.add(indices, four));
          body.advance(at, 16);
        });
        endList(body, entry, hasBias ? i32.add(p.bias, 1) : 0);
        body.storeI32(p.list, entry);
      });
      body.advance(p.source, p.sourceStride);
    });
  });
}

/**
 * The same entries by column: for each input the images in which it is not zero, in order (a counting sort, `counts`
 * from where the lists were made). The last of `columns` takes the entries that only make lists even.
 */
export function columns(assembler: Assembler): void {
  const parameters = ['images', 'blocks', 'list', 'columns', 'counts', 'entries', 'out'] as const;
  assembler.define('columns', parameters, (body, p) => {
    const counter = body.local('i32', p.counts);
    const next = body.local('i32', p.entries);
    const length = body.local('i32');
    body.repeat(p.columns, () => {
      body.set(length, i32.shl(i32.load(counter), ENTRY_SHIFT));
      body.storeI32(p.out, next);
      body.storeI32(counter, next);
      body.advance(next, length);
      endList(body, next, 0);
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
        for (const offset of [0, ENTRY]) {
          body.set(counter, i32.add(p.counts, i32.shl(i32.load(entry, offset), 2)));
          body.set(target, i32.load(counter));
          body.storeI32(counter, i32.add(target, ENTRY));
          append(body, target, image, f32.load(entry, offset + 4));
        }
        body.advance(entry, 2 * ENTRY);
      });
    });
  });
}
