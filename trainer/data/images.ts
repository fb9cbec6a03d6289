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

function countNonZero(pixels: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < pixels.length; i++) if (pixels[i] !== 0) count++;
  return count;
}

/** Positions of the inputs: the live ones first, each group in order. */
function positions(train: RawImages, inputs: number): { position: Uint16Array; live: number } {
  const isLive = new Uint8Array(inputs);
  for (let i = 0; i < train.pixels.length; )
    for (let input = 0; input < inputs; input++) isLive[input]! |= train.pixels[i++]!;
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
  const visible = { ...train, pixels: train.pixels.subarray(0, trained * inputs) };
  const { position, live } = positions(visible, inputs);
  const rowBytes = Math.ceil(inputs / 16) * 16;
  const plan = [train, test].map((images) => ({ images, entries: countNonZero(images.pixels) }));
  const bytes = plan.reduce(
    (sum, { images, entries }) =>
      sum +
      align(4 * (images.count + 1)) +
      align(4 * entries + 4) +
      align(rowBytes * (images.count + 1)) +
      align(images.count),
    0,
  );
  const pages = Math.ceil(bytes / PAGE) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  let top = 0;
  const allocate = (length: number) => {
    const address = top;
    top = align(top + length);
    return address;
  };
  const [whole, testSubset] = plan.map(({ images, entries }) => {
    const subset = {
      count: images.count,
      starts: allocate(4 * (images.count + 1)),
      // One more than there are: the kernel reads one ahead.
      pixels: allocate(4 * entries + 4),
      rows: allocate(rowBytes * (images.count + 1)),
      blank: images.count,
      labels: allocate(images.count),
    };
    return { ...subset, longest: fill(memory, subset, images, position, rowBytes) };
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

/** Writes the images' pixels in order of position; returns the longest list of those that are not zero. */
function fill(
  memory: WebAssembly.Memory,
  subset: Omit<Subset, 'longest'>,
  images: RawImages,
  position: Uint16Array,
  rowBytes: number,
): number {
  const inputs = position.length;
  const inputAt = new Uint16Array(inputs);
  for (const [input, at] of position.entries()) inputAt[at] = input;
  const starts = new Uint32Array(memory.buffer, subset.starts, images.count + 1);
  const pixels = new Uint32Array(memory.buffer, subset.pixels);
  const rows = new Uint8Array(memory.buffer, subset.rows, rowBytes * images.count);
  new Uint8Array(memory.buffer, subset.labels, images.count).set(images.labels);
  let entry = 0;
  let longest = 0;
  for (let image = 0; image < images.count; image++) {
    starts[image] = entry;
    const base = image * inputs;
    for (let at = 0; at < inputs; at++) {
      const value = images.pixels[base + inputAt[at]!]!;
      if (value === 0) continue;
      pixels[entry++] = at | (value << 16);
      rows[image * rowBytes + at] = value;
    }
    longest = Math.max(longest, entry - starts[image]!);
  }
  starts[images.count] = entry;
  return longest;
}
