/**
 * A network whose weights are dense matrices (some of them perhaps held at zero): forward, backward, step.
 *
 * A layer's weights lie in panels of up to 52 outputs: panel after panel, each [rows, width] with the inputs as rows
 * and the bias as the last row. First moments, second moments and the mask follow at the same distance from each other.
 */
import type { SharedImages, Subset } from '../../data/images';
import type { Masks, Parameters } from '../../network';
import type { Arena } from './arena';
import type { Kernels } from './kernels';
import { epilogueOf, MAX_WIDTH, type Panel, panelsOf } from './kernels/product';
import type { Schedule } from './schedule';

interface Layer {
  inputs: number;
  outputs: number;
  /** Inputs, up to a multiple of 4 for hidden ones, and the bias. */
  rows: number;
  panels: Panel[];
  /** Bytes from weights to first moments to second moments to the mask. */
  distance: number;
  weights: number;
  /** Lists of the layer's inputs: by image in blocks, and by input. */
  blocks: number;
  cuts: number;
  entries: number;
  list: number;
  counts: number;
  columnEntries: number;
  columnList: number;
  /** Outputs and their gradients, [images, stride]. */
  stride: number;
  out: number;
  gradient: number;
  /** Of layers above the first: the transposed weights, in panels of the inputs; lists of the output gradients. */
  transposed: number;
  gradientBlocks: number;
  gradientCuts: number;
  gradientEntries: number;
  gradientList: number;
}

/** A batch's logits, and how far apart (in floats) those of two images and those of two classes are. */
export interface Logits {
  values: Float32Array;
  perImage: number;
  perClass: number;
}

/** Rows of a panel that fit the first-level cache beside the rest; 40 KiB was the best of 20 to 160 on fc1. */
const BLOCK_BYTES = 54 * 1024;
const VECTOR = 16;
const up4 = (n: number) => Math.ceil(n / 4) * 4;

export class DenseNetwork {
  private readonly layers: Layer[];
  private readonly packed: number;
  /** Logits and their gradients by class, [classes, lanes]. */
  private readonly logits: number;
  private readonly lanes: number;
  readonly chosen: number;
  readonly peak: number;

  constructor(
    private readonly arena: Arena,
    private readonly kernels: Kernels,
    private readonly images: SharedImages,
    private readonly scale: number,
    sizes: readonly number[],
    private readonly batch: number,
    trained: { moments: boolean; masked: boolean },
    private readonly linear: readonly number[],
  ) {
    const longest = Math.max(...Object.values(images.subsets).map((subset: Subset) => subset.longest));
    this.layers = sizes.slice(1).map((outputs, l) => this.layout(l, sizes[l]!, outputs, longest, trained));
    this.packed = arena.allocate(batch * MAX_WIDTH * VECTOR);
    this.lanes = up4(batch);
    this.logits = arena.allocate(up4(sizes.at(-1)!) * this.lanes * 4);
    this.chosen = arena.allocate(4 * this.lanes);
    this.peak = arena.allocate(4 * this.lanes);
  }

  /**
   * Blocks of a list whose rows of the widest panel fit the cache, cut in fours.
   * @param covered the rows that lists mostly name
   * @param end where the last block ends
   */
  private cut(covered: number, end: number, panels: Panel[]): { blocks: number; cuts: number } {
    const blockRows = Math.floor(BLOCK_BYTES / (panels[0]!.width * VECTOR));
    const blocks = Math.max(1, Math.ceil(covered / blockRows));
    const cuts = this.arena.allocate(4 * blocks);
    for (let block = 0; block < blocks; block++)
      this.arena.u32(cuts, blocks)[block] =
        block === blocks - 1 ? end : 4 * Math.round((covered * (block + 1)) / blocks / 4);
    return { blocks, cuts };
  }

  private layout(
    l: number,
    inputs: number,
    outputs: number,
    longest: number,
    trained: { moments: boolean; masked: boolean },
  ): Layer {
    const { arena, batch } = this;
    const vectors = Math.ceil(outputs / 4);
    const panels = panelsOf(vectors);
    const rows = (l === 0 ? inputs : up4(inputs)) + 1;
    const distance = rows * vectors * VECTOR;
    const covered = l === 0 ? this.images.live : rows - 1;
    const { blocks, cuts } = this.cut(covered, rows - 1, panels);
    // With a bias's entry an image, one a list to make it even, and one that is written ahead.
    const entryCount = batch * ((l === 0 ? longest : rows - 1) + 1 + blocks) + 1;
    const stride = vectors * VECTOR;
    // The last layer's rows are read in fours.
    const images = up4(batch);
    const backward = l > 0 && trained.moments;
    const gradient = this.cut(up4(outputs), up4(outputs), panelsOf(Math.ceil(inputs / 4)));
    return {
      ...{ inputs, outputs, rows, panels, distance, blocks, cuts, stride },
      ...{ gradientBlocks: gradient.blocks, gradientCuts: gradient.cuts },
      // An entry that makes a list even reads a row past the last.
      weights: arena.allocate(distance * (trained.masked ? 4 : trained.moments ? 3 : 1) + MAX_WIDTH * VECTOR),
      entries: arena.allocate(8 * entryCount),
      list: arena.allocate(4 * (batch * blocks + 1)),
      counts: arena.allocate(4 * (rows + 1)),
      columnEntries: trained.moments ? arena.allocate(8 * (entryCount + rows + 1)) : 0,
      columnList: trained.moments ? arena.allocate(4 * (rows + 2)) : 0,
      out: arena.allocate(images * stride),
      gradient: trained.moments ? arena.allocate(images * stride) : 0,
      transposed: backward ? arena.allocate(vectors * 4 * (rows - 1) * 4) : 0,
      gradientEntries: backward ? arena.allocate(8 * (batch * (vectors * 4 + gradient.blocks) + 1)) : 0,
      gradientList: backward ? arena.allocate(4 * (batch * gradient.blocks + 1)) : 0,
    };
  }

  /** Where a layer's panel of weights begins. */
  private panelAddress(layer: Layer, panel: Panel): number {
    return layer.weights + panel.first * VECTOR * layer.rows;
  }

  /** Calls with each weight's place in [in, out] and in memory (in floats, from `layer.weights`), biases as row `inputs`. */
  private forEachWeight(l: number, visit: (row: number, output: number, place: number) => void): void {
    const layer = this.layers[l]!;
    for (const panel of layer.panels) {
      const base = panel.first * 4 * layer.rows;
      const width = panel.width * 4;
      const outputs = Math.min(width, layer.outputs - panel.first * 4);
      for (let row = 0; row <= layer.inputs; row++) {
        const at = row === layer.inputs ? layer.rows - 1 : l === 0 ? this.images.position[row]! : row;
        for (let j = 0; j < outputs; j++) visit(row, panel.first * 4 + j, base + at * width + j);
      }
    }
  }

  /** @param part 0 weights, 1 first moments, 2 second moments */
  write(part: 0 | 1 | 2, parameters: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const target = this.arena.f32(layer.weights + part * layer.distance, layer.distance / 4);
      const [weights, biases] = [parameters.weights[l]!, parameters.biases[l]!];
      this.forEachWeight(l, (row, output, place) => {
        target[place] = row === layer.inputs ? biases[output]! : weights[row * layer.outputs + output]!;
      });
    }
  }

  read(part: 0 | 1 | 2, into: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const source = this.arena.f32(layer.weights + part * layer.distance, layer.distance / 4);
      const [weights, biases] = [into.weights[l]!, into.biases[l]!];
      this.forEachWeight(l, (row, output, place) => {
        if (row === layer.inputs) biases[output] = source[place]!;
        else weights[row * layer.outputs + output] = source[place]!;
      });
    }
  }

  writeMasks(masks: Masks): void {
    for (const [l, layer] of this.layers.entries()) {
      const target = this.arena.u32(layer.weights + 3 * layer.distance, layer.distance / 4);
      const mask = masks[l]!;
      this.forEachWeight(l, (row, output, place) => {
        target[place] = row === layer.inputs || mask[row * layer.outputs + output] !== 0 ? 0xffffffff : 0;
      });
    }
  }

  private hasRelu(l: number): boolean {
    return l < this.layers.length - 1 && !this.linear.includes(l);
  }

  /** @param order address of the images' numbers, u32 [count] */
  forward(subset: Subset, order: number, count: number): void {
    const { kernels } = this;
    for (const [l, layer] of this.layers.entries()) {
      const { cuts, blocks, rows, entries, list, counts } = layer;
      const lists = [cuts, blocks, rows - 1, entries, list, counts] as const;
      const before = this.layers[l - 1];
      if (before === undefined) kernels.gatherImages!(count, order, subset.starts, subset.pixels, this.scale, ...lists);
      else kernels.gatherActivations!(count, before.out, before.stride, ...lists);
      const relu = this.hasRelu(l);
      for (const panel of layer.panels)
        for (let block = 0; block < layer.blocks; block++) {
          const list = layer.list + 4 * block;
          const out = layer.out + panel.first * VECTOR;
          const matrix = this.panelAddress(layer, panel);
          kernels[`panel.${epilogueOf(block, layer.blocks, relu ? 'relu' : undefined)}${panel.width}`]!(
            ...[count, list, 4 * layer.blocks, matrix, out, layer.stride, 0, 0],
          );
        }
    }
  }

  /** After `forward`. */
  logitsView(count: number): Logits {
    const { out, stride } = this.layers.at(-1)!;
    return { values: this.arena.f32(out, (count * stride) / 4), perImage: stride / 4, perClass: 1 };
  }

  /** After `forward`: units above zero in each hidden layer, summed over the images. */
  activeCounts(count: number): number[] {
    return this.layers
      .slice(0, -1)
      .map(({ out, stride }) => this.kernels.countPositive!(count, stride / VECTOR, out, stride));
  }

  /** After `forward`, and with the step's constants set: the gradients of all layers' outputs. */
  backward(subset: Subset, order: number, count: number): void {
    const { kernels, lanes } = this;
    const last = this.layers.at(-1)!;
    const used = up4(count);
    kernels.transpose!(used, up4(last.outputs), last.out, last.stride, this.logits, 4 * lanes);
    kernels.softmax!(used, count, last.outputs, this.logits, 4 * lanes, order, subset.labels, this.chosen, this.peak);
    kernels.transpose!(up4(last.outputs), used, this.logits, 4 * lanes, last.gradient, last.stride);
    for (let l = this.layers.length - 1; l > 0; l--) {
      const [layer, before] = [this.layers[l]!, this.layers[l - 1]!];
      this.transposeWeights(layer, before.panels);
      const { gradientBlocks, gradientCuts, gradientEntries, gradientList, outputs } = layer;
      kernels.gatherGradients!(
        ...[count, layer.gradient, layer.stride, gradientCuts, gradientBlocks, 0, gradientEntries, gradientList, 0],
      );
      for (const panel of before.panels)
        for (let block = 0; block < gradientBlocks; block++) {
          const matrix = layer.transposed + panel.first * VECTOR * up4(outputs);
          const at = panel.first * VECTOR;
          kernels[
            `panel.${epilogueOf(block, gradientBlocks, this.hasRelu(l - 1) ? 'mask' : undefined)}${panel.width}`
          ]!(
            ...[count, gradientList + 4 * block, 4 * gradientBlocks, matrix],
            ...[before.gradient + at, before.stride, before.out + at, before.stride],
          );
        }
    }
  }

  private transposeWeights(layer: Layer, inputPanels: Panel[]): void {
    for (const from of layer.panels)
      for (const to of inputPanels) {
        const [fromStride, toStride] = [from.width * VECTOR, to.width * VECTOR];
        const source = this.panelAddress(layer, from) + to.first * 4 * fromStride;
        const out = layer.transposed + to.first * VECTOR * up4(layer.outputs) + from.first * 4 * toStride;
        this.kernels.transpose!(to.width * 4, from.width * 4, source, fromStride, out, toStride);
      }
  }

  /**
   * After `backward`: one step of the optimiser.
   * Without decay, inputs that are zero in every image are left out: their step is exactly nothing.
   */
  update(count: number, schedule: Schedule): void {
    const { kernels, packed } = this;
    for (const [l, layer] of this.layers.entries()) {
      const { blocks, list, rows, counts, columnEntries, columnList } = layer;
      kernels.columns!(count, blocks, list, rows + 1, counts, columnEntries, columnList);
      const bias = rows - 1;
      const weightRows = l === 0 && !schedule.decay ? this.images.live : bias;
      for (const panel of layer.panels) {
        const stride = panel.width * VECTOR;
        const weights = this.panelAddress(layer, panel);
        kernels.copyRows!(count, panel.width, layer.gradient + panel.first * VECTOR, layer.stride, packed);
        const step = (first: number, steps: number) =>
          kernels[`panel.update${panel.width}`]!(
            ...[steps, columnList + 4 * first, 4, packed],
            ...[weights + first * stride, stride, layer.distance, 0],
          );
        schedule.setDecay(true);
        step(0, weightRows);
        schedule.setDecay(false);
        step(bias, 1);
      }
    }
  }
}
