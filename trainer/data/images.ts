/**
 * A data set as the kernels read it, in memory that all workers share: each image's non-zero pixels, for networks whose
 * weights are dense, its pixels as they are, for pruned ones, and its label.
 *
 * Inputs are reordered so that those that are zero in every training image come last: their weights get no gradient,
 * and training stops before them (717 of MNIST's 784 remain).
 */

/** Images as a file gives them. */
export interface RawImages {
  count: number;
  /** [count, inputs], one byte a pixel. */
  pixels: Uint8Array;
  /** [count]. */
  labels: Uint8Array;
}

/** A range of images; addresses are in the shared memory. */
export interface Subset {
  count: number;
  /** u32 [count + 1]: where each image begins in `pixels`. */
  starts: number;
  /** u32 each: the position of a non-zero input, rising within an image, and 65,536 times its value. */
  pixels: number;
  /** u8 [count, rowBytes]: the images as they are, for pruned networks, by position. */
  rows: number;
  /** An image number whose row is without pixels: what fills a batch up. */
  blank: number;
  /** u8 [count]. */
  labels: number;
  /** The largest number of non-zero pixels of an image. */
  longest: number;
}

export type SubsetName = 'train' | 'validation' | 'test';

export interface SharedImages {
  memory: WebAssembly.Memory;
  inputs: number;
  classes: number;
  /** Inputs that are not zero in every training image; they have the positions 0 to live - 1. */
  live: number;
  /** Bytes of an image in `rows`: the inputs, up to a multiple of 16. */
  rowBytes: number;
  /** [inputs]: the position of each input. */
  position: Uint16Array;
  subsets: { train: Subset; test: Subset; validation?: Subset };
  /** Which test image stands for one digit in the records' `activeProbe`. */
  probe: number;
}

const PAGE = 65536;
const align = (address: number) => Math.ceil(address / 64) * 64;

/**
 * A digit's row is mostly zeros, so rows are read four pixels at a time: the whole of MNIST in 0.2 s instead of 0.5.
 * @param rows u8 [count, rowBytes]
 * @returns how many pixels are not zero
 */
function countNonZero(rows: Uint32Array): number {
  let count = 0;
  for (let at = 0; at < rows.length; at++) {
    const four = rows[at]!;
    if (four === 0) continue;
    // The highest bit of each byte that is not zero, and their sum.
    const bits = (((four & 0x7f7f7f7f) + 0x7f7f7f7f) | four) & 0x80808080;
    count += Math.imul(bits >>> 7, 0x01010101) >>> 24;
  }
  return count;
}

/** Positions of the inputs: the live ones first, each group in order. */
function positions(rows: Uint32Array, rowBytes: number, inputs: number): { position: Uint16Array; live: number } {
  const fours = new Uint32Array(rowBytes / 4);
  for (let at = 0; at < rows.length; ) for (let four = 0; four < fours.length; four++) fours[four]! |= rows[at++]!;
  const isLive = new Uint8Array(fours.buffer, 0, inputs);
  const ordered = [...isLive.keys()].filter((input) => isLive[input] !== 0);
  const live = ordered.length;
  ordered.push(...[...isLive.keys()].filter((input) => isLive[input] === 0));
  const position = new Uint16Array(inputs);
  for (const [at, input] of ordered.entries()) position[input] = at;
  return { position, live };
}

/**
 * @param validation training images to hold back: the last of the file
 * @param probe see `SharedImages.probe`
 */
export function shareImages(
  train: RawImages,
  test: RawImages,
  shape: { inputs: number; classes: number },
  validation: number,
  probe: number,
): SharedImages {
  const { inputs, classes } = shape;
  const trained = train.count - validation;
  const rowBytes = Math.ceil(inputs / 16) * 16;
  let top = 0;
  const allocate = (length: number) => {
    const address = top;
    top = align(top + length);
    return address;
  };
  const [trainPlace, testPlace] = [train, test].map(({ count }) => ({
    count,
    starts: allocate(4 * (count + 1)),
    rows: allocate(rowBytes * (count + 1)),
    blank: count,
    labels: allocate(count),
  })) as [Place, Place];
  const pages = () => Math.ceil(top / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages(), maximum: 65536, shared: true });
  copyImages(memory, trainPlace, train, inputs, rowBytes);
  copyImages(memory, testPlace, test, inputs, rowBytes);
  const { position, live } = positions(rowsOf(memory, trainPlace, rowBytes, trained), rowBytes, inputs);
  const [whole, testSubset] = [trainPlace, testPlace].map((place) => {
    // One more than there are: the kernel reads one ahead.
    const pixels = allocate(4 * countNonZero(rowsOf(memory, place, rowBytes)) + 4);
    memory.grow(pages() - memory.buffer.byteLength / PAGE);
    const subset = { ...place, pixels };
    return { ...subset, longest: order(memory, subset, position, live, rowBytes) };
  }) as [Subset, Subset];
  const subsets: SharedImages['subsets'] = { train: { ...whole, count: trained }, test: testSubset };
  if (validation > 0)
    subsets.validation = {
      ...whole,
      count: validation,
      starts: whole.starts + 4 * trained,
      rows: whole.rows + rowBytes * trained,
      blank: validation,
      labels: whole.labels + trained,
    };
  return { memory, inputs, classes, live, rowBytes, position, subsets, probe };
}

/** A subset before its pixels are listed. */
type Place = Omit<Subset, 'pixels' | 'longest'>;

/** @returns u32 [count, rowBytes / 4] */
const rowsOf = (memory: WebAssembly.Memory, { rows, count }: Place, rowBytes: number, images = count) =>
  new Uint32Array(memory.buffer, rows, (images * rowBytes) / 4);

/** Writes labels, and rows in the order of the file. */
function copyImages(memory: WebAssembly.Memory, place: Place, images: RawImages, inputs: number, rowBytes: number) {
  new Uint8Array(memory.buffer, place.labels, images.count).set(images.labels);
  const rows = new Uint8Array(memory.buffer, place.rows, rowBytes * images.count);
  if (inputs === rowBytes) rows.set(images.pixels);
  else
    for (let image = 0; image < images.count; image++)
      rows.set(images.pixels.subarray(image * inputs, (image + 1) * inputs), image * rowBytes);
}

/** Brings rows into the order of positions and lists their pixels; returns the longest list. */
function order(
  memory: WebAssembly.Memory,
  subset: Place & { pixels: number },
  position: Uint16Array,
  live: number,
  rowBytes: number,
): number {
  const { count } = subset;
  const starts = new Uint32Array(memory.buffer, subset.starts, count + 1);
  const pixels = new Uint32Array(memory.buffer, subset.pixels);
  const rows = new Uint8Array(memory.buffer, subset.rows, count * rowBytes);
  const fours = rowsOf(memory, subset, rowBytes);
  const perRow = rowBytes / 4;
  let entry = 0;
  let longest = 0;
  for (let image = 0; image < count; image++) {
    const start = entry;
    starts[image] = start;
    // Of inputs that are zero in every training image: they have the last positions.
    const last: number[] = [];
    for (let four = 0; four < perRow; four++) {
      const values = fours[image * perRow + four]!;
      if (values === 0) continue;
      fours[image * perRow + four] = 0;
      for (let byte = 0; byte < 4; byte++) {
        const value = (values >>> (8 * byte)) & 0xff;
        if (value === 0) continue;
        const at = position[4 * four + byte]!;
        const pixel = at | (value << 16);
        if (at < live) pixels[entry++] = pixel;
        else last.push(pixel);
      }
    }
    for (const pixel of last) pixels[entry++] = pixel;
    for (let at = start; at < entry; at++) rows[image * rowBytes + (pixels[at]! & 0xffff)] = pixels[at]! >>> 16;
    longest = Math.max(longest, entry - start);
  }
  starts[count] = entry;
  return longest;
}
