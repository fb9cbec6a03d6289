/** Sparse lists, made for each batch: of its images' pixels, of what is active, of gradients, and all by column. */
import { type Assembler, type Expression, f32, i32, type Operand } from '../assembler';
import { touch } from './touch';
import { append } from './vocabulary';

/**
 * The lists of a batch's images, from the shared data set: pixel values through the table `scale` (u8 to f32), cut
 * into blocks before the inputs `cuts[k]`, the bias's entry last. Counts each input's entries (x 8) for `columns`.
 */
export function gatherImages(assembler: Assembler): void {
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
export function gatherActive(assembler: Assembler): void {
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
export function gatherGradients(assembler: Assembler): void {
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
export function columns(assembler: Assembler): void {
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
