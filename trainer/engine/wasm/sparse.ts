/**
 * A pruned network that costs what is left of it: the surviving weights as lists, activations [features, images].
 *
 * The images of a batch are columns, worked on in tiles of up to 52, so that one surviving weight is one multiplication
 * of a row of activations. Each unit's list begins with its bias, the weight of a row of ones.
 */
import type { SharedImages, Subset } from '../../data/images';
import type { Masks, Parameters } from '../../network';
import type { Arena } from './arena';
import type { Logits } from './dense';
import type { Kernels } from './kernels';
import { epilogueOf, type Panel, panelsOf } from './kernels/product';
import { ANY_GROUP, ROW_GROUP } from './kernels/sampled';
import type { Schedule } from './schedule';
import { StaticLists } from './static_lists';

/** What is left of a layer. */
interface Shape {
  inputs: number;
  outputs: number;
  /** Its units, those that are computed first: in training, only units that some survivor of the next layer reads. */
  units: Uint32Array;
  computed: number;
  survivors: number;
  /** Survivors of computed units; the gradient of the others is 0. */
  active: number;
  /** Each survivor's place in [in, out], by unit in the order of `units` and then by input. */
  places: Uint32Array;
  /** Bytes from the first survivor's value to the first bias. */
  biasOffset: number;
  /** Of inputs, into which a unit's list is cut. */
  blocks: number;
}

interface Layer extends Shape {
  /** f32 [survivors] then, aligned, [outputs] biases; first and second moments and gradients alike. */
  values: number;
  first: number;
  second: number;
  gradient: number;
  /** Each unit's bias and survivors. */
  unitLists: StaticLists;
  /** Each input's survivors, where a gradient of the inputs is needed. */
  inputLists: StaticLists | undefined;
  /** Where each survivor's row of inputs and of output gradients begins. */
  inputOffsets: number;
  gradientOffsets: number;
  /** Groups of survivors that share a unit; 0 when survivors are so few that any three go together. */
  groups: number;
  groupTable: number;
  /** Rows of the computed units, and above a hidden layer's the row of ones. */
  out: number;
  outGradient: number;
}

/** Rows of the inputs of a layer: which row an input has, -1 when no survivor reads it, and how many there are. */
interface Rows {
  of: Int32Array;
  count: number;
}

/** Survivors that `sampledRow` takes together: the row of output gradients, the first of them. */
interface Group {
  row: number;
  first: number;
}

/** Input rows that a tile keeps in the first-level cache, and entries of a unit that a block must have to pay (an
 * epoch of 300-100 at 10 %: 12 ms of 490). */
const BLOCK_ROWS = 196;
const BLOCK_ENTRIES = 12;

/** What the last groups write past the survivors. */
const SPARE = 8;

const up = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/** Cycles of a batch of 128, measured: a group of six takes 168, a survivor in a group of any three 45. */
const rowGroupsPay = (survivors: number, groups: number) => 168 * groups < 45 * survivors;

export class SparseNetwork {
  private readonly layers: Layer[] = [];
  /** Bytes from one feature's row to the next: a line more than a power of two, so that a tile spreads over all cache sets. */
  private readonly stride: number;
  /** Rows of the inputs that some survivor reads, one that the others share, one of ones. */
  private readonly inputs: number;
  /** Of each pixel the byte offset of its row of inputs, and the groups of 16 pixels of which some is read. */
  private readonly position: number;
  private readonly groups: number;
  private readonly groupTable: number;
  /** A batch's image numbers, filled up with blank images. */
  private readonly padded: number;
  private readonly ones: number;
  private lanes = 0;
  private readonly tilesOf = new Map<number, Panel[]>();
  readonly chosen: number;
  readonly peak: number;

  constructor(
    private readonly arena: Arena,
    private readonly kernels: Kernels,
    private readonly images: SharedImages,
    private readonly sizes: readonly number[],
    batch: number,
    masks: Masks,
    purpose: 'training' | 'evaluation',
    private readonly linear: readonly number[],
  ) {
    const lanes = up(batch, 16);
    this.stride = lanes * 4 + 64;
    // Where nothing reads a unit, its gradient is 0 and nothing depends on it: training leaves it out, exactly.
    const read = masks.map((mask, l) => readRows(mask, sizes[l]!, sizes[l + 1]!));
    const { of: rowOf, count } = read[0]!;
    // One row for the inputs that nobody reads, one of ones.
    this.inputs = arena.allocate((count + 2) * this.stride);
    this.position = arena.allocate(4 * images.rowBytes);
    const position = arena.u32(this.position, images.rowBytes).fill(count * this.stride);
    const groups = new Set<number>();
    for (let input = 0; input < sizes[0]!; input++) {
      if (rowOf[input] === -1) continue;
      const at = images.position[input]!;
      position[at] = rowOf[input]! * this.stride;
      groups.add(at - (at % 16));
    }
    this.groups = groups.size;
    this.groupTable = arena.allocate(4 * groups.size);
    arena.u32(this.groupTable, groups.size).set([...groups].sort((a, b) => a - b));
    this.padded = arena.allocate(4 * lanes);
    this.ones = count + 1;
    let inputs = read[0]!;
    for (const [l, mask] of masks.entries()) {
      const outputs = sizes[l + 1]!;
      const rows = (purpose === 'training' && read[l + 1]) || {
        of: Int32Array.from({ length: outputs }, (_, i) => i),
        count: outputs,
      };
      this.layers.push(this.layout(l, mask, inputs, rows));
      inputs = rows;
    }
    this.chosen = arena.allocate(4 * lanes);
    this.peak = arena.allocate(4 * lanes);
  }

  private layout(l: number, mask: Uint8Array, inputRows: Rows, outputRows: Rows): Layer {
    const { arena, stride } = this;
    const [inputs, outputs] = [this.sizes[l]!, this.sizes[l + 1]!];
    const units = inOrderOfRows(outputRows);
    const { places, active } = survivorsByUnit(mask, inputs, outputs, units, outputRows.count);
    const survivors = places.length;
    const computed = outputRows.count;
    const perUnit = active / Math.max(1, computed);
    const blocks = Math.max(1, Math.min(Math.ceil(inputRows.count / BLOCK_ROWS), Math.round(perUnit / BLOCK_ENTRIES)));
    const spare = survivors + SPARE;
    const biasOffset = up(4 * spare, 16);
    const bytes = biasOffset + up(4 * outputs, 16);
    const shape = { inputs, outputs, units, computed, survivors, active, places, biasOffset, blocks };
    const layer: Layer = {
      ...shape,
      values: arena.allocate(bytes),
      first: arena.allocate(bytes),
      second: arena.allocate(bytes),
      gradient: arena.allocate(bytes),
      unitLists: this.unitLists(shape, l === 0 ? this.ones : inputRows.count, inputRows),
      inputLists: l === 0 ? undefined : this.inputLists(shape, inputRows, outputRows),
      inputOffsets: arena.allocate(4 * spare),
      gradientOffsets: arena.allocate(4 * spare),
      groups: 0,
      groupTable: 0,
      out: arena.allocate((computed + 1) * stride),
      outGradient: arena.allocate(computed * stride),
    };
    this.fillOffsets(layer, inputRows, outputRows);
    this.fillGroups(layer, inputRows, outputRows);
    return layer;
  }

  private unitLists(layer: Shape, onesRow: number, inputRows: Rows): StaticLists {
    const { active, computed, survivors, outputs, blocks, places, units, biasOffset } = layer;
    return new StaticLists(this.arena, computed * blocks, active + computed, 4 * survivors, (append, end) => {
      let survivor = 0;
      for (let index = 0; index < computed; index++) {
        append(onesRow * this.stride, biasOffset + 4 * index);
        for (let block = 0; block < blocks; block++) {
          const limit = (inputRows.count * (block + 1)) / blocks;
          for (; survivor < active && places[survivor]! % outputs === units[index]; survivor++) {
            const row = inputRows.of[Math.floor(places[survivor]! / outputs)]!;
            if (row >= limit) break;
            append(row * this.stride, 4 * survivor);
          }
          end();
        }
      }
    });
  }

  private inputLists(layer: Shape, inputRows: Rows, outputRows: Rows): StaticLists {
    const { active, survivors, outputs, places } = layer;
    const rowOf = (survivor: number) => inputRows.of[Math.floor(places[survivor]! / outputs)]!;
    const next = new Uint32Array(inputRows.count + 1);
    for (let survivor = 0; survivor < active; survivor++) next[rowOf(survivor) + 1]!++;
    for (let row = 0; row < inputRows.count; row++) next[row + 1]! += next[row]!;
    const byRow = new Uint32Array(active);
    for (let survivor = 0; survivor < active; survivor++) byRow[next[rowOf(survivor)]!++] = survivor;
    return new StaticLists(this.arena, inputRows.count, active, 4 * survivors, (append, end) => {
      for (let row = 0, at = 0; row < inputRows.count; row++) {
        for (; at < next[row]!; at++)
          append(outputRows.of[places[byRow[at]!]! % outputs]! * this.stride, 4 * byRow[at]!);
        end();
      }
    });
  }

  private fillOffsets(layer: Layer, inputRows: Rows, outputRows: Rows): void {
    const { active, outputs, places } = layer;
    const inputOffsets = this.arena.u32(layer.inputOffsets, active);
    const gradientOffsets = this.arena.u32(layer.gradientOffsets, active);
    for (let survivor = 0; survivor < active; survivor++) {
      inputOffsets[survivor] = inputRows.of[Math.floor(places[survivor]! / outputs)]! * this.stride;
      gradientOffsets[survivor] = outputRows.of[places[survivor]! % outputs]! * this.stride;
    }
  }

  /**
   * Groups of ROW_GROUP survivors of one unit, the last of a unit reaching back to be full, ordered by their inputs: so
   * neighbours read rows that are still in the first-level cache (142 ms an epoch of 300-100 at 10 % became 126). A unit
   * with fewer survivors writes past them; such come first, for others to write over.
   */
  private fillGroups(layer: Layer, inputRows: Rows, outputRows: Rows): void {
    const { active, outputs, places } = layer;
    const short: Group[] = [];
    const full: Group[] = [];
    for (let first = 0; first < active; ) {
      const unit = places[first]! % outputs;
      let end = first;
      while (end < active && places[end]! % outputs === unit) end++;
      const row = outputRows.of[unit]!;
      if (end - first < ROW_GROUP) short.push({ row, first });
      else for (let at = first; at < end; at += ROW_GROUP) full.push({ row, first: Math.min(at, end - ROW_GROUP) });
      first = end;
    }
    if (!rowGroupsPay(active, short.length + full.length)) return;
    const inputRow = ({ first }: Group) => inputRows.of[Math.floor(places[first]! / outputs)]!;
    full.sort((a, b) => inputRow(a) - inputRow(b) || a.first - b.first);
    layer.groups = short.length + full.length;
    layer.groupTable = this.arena.allocate(8 * layer.groups);
    this.arena
      .u32(layer.groupTable, 2 * layer.groups)
      .set([...short, ...full].flatMap(({ row, first }) => [row * this.stride, 4 * first]));
  }

  private part(layer: Layer, part: 0 | 1 | 2): number {
    return part === 0 ? layer.values : part === 1 ? layer.first : layer.second;
  }

  /** @param part 0 weights, 1 first moments, 2 second moments */
  write(part: 0 | 1 | 2, parameters: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const values = this.arena.f32(this.part(layer, part), layer.survivors);
      for (const [i, place] of layer.places.entries()) values[i] = parameters.weights[l]![place]!;
      const biases = this.arena.f32(this.part(layer, part) + layer.biasOffset, layer.outputs);
      for (const [i, unit] of layer.units.entries()) biases[i] = parameters.biases[l]![unit]!;
    }
    if (part === 0) this.refresh();
  }

  /** Leaves the weights that were pruned as they are in `into`. */
  read(part: 0 | 1 | 2, into: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const values = this.arena.f32(this.part(layer, part), layer.survivors);
      for (const [i, place] of layer.places.entries()) into.weights[l]![place] = values[i]!;
      const biases = this.arena.f32(this.part(layer, part) + layer.biasOffset, layer.outputs);
      for (const [i, unit] of layer.units.entries()) into.biases[l]![unit] = biases[i]!;
    }
  }

  /** Brings the lists' copies of the values up to date. */
  private refresh(): void {
    for (const { unitLists, inputLists, values } of this.layers) {
      unitLists.refresh(this.kernels, values);
      inputLists?.refresh(this.kernels, values);
    }
  }

  /** The first `count` lanes of every row of ones are 1, so that the other lanes of a batch stay 0. */
  private setLanes(count: number): void {
    if (this.lanes === count) return;
    this.lanes = count;
    const rows = [this.inputs + this.ones * this.stride];
    for (const layer of this.layers.slice(0, -1)) rows.push(layer.out + layer.computed * this.stride);
    for (const row of rows)
      this.arena
        .f32(row, this.stride / 4)
        .fill(0)
        .fill(1, 0, count);
  }

  /** The batch's image numbers, in multiples of 16. */
  private padOrder(subset: Subset, order: number, count: number): number {
    if (count % 16 === 0) return order;
    const padded = this.arena.u32(this.padded, up(count, 16));
    padded.fill(subset.blank, count);
    padded.set(this.arena.u32(order, count));
    return this.padded;
  }

  private hasRelu(l: number): boolean {
    return l < this.layers.length - 1 && !this.linear.includes(l);
  }

  /** See DenseNetwork.forward. */
  forward(subset: Subset, order: number, count: number): void {
    const { kernels, stride } = this;
    this.setLanes(count);
    const sixteens = up(count, 16) / 16;
    const source = [subset.rows, this.images.rowBytes, this.groups, this.groupTable] as const;
    kernels.gatherPixels!(sixteens, this.padOrder(subset, order, count), ...source, this.position, this.inputs);
    let inputs = this.inputs;
    for (const [l, layer] of this.layers.entries()) {
      const relu = this.hasRelu(l);
      const { computed, unitLists, blocks, out } = layer;
      for (const { width, first } of this.tiles(count)) {
        const at = first * 16;
        for (let block = 0; block < blocks; block++)
          kernels[`tile.${epilogueOf(block, blocks, relu ? 'relu' : undefined)}${width}`]!(
            ...[computed, unitLists.table + 4 * block, 4 * blocks, inputs + at],
            ...[out + at, stride, 0, 0],
          );
      }
      inputs = layer.out;
    }
  }

  /** A batch's images, as many at a time as the kernels' registers carry. */
  private tiles(count: number): Panel[] {
    const known = this.tilesOf.get(count);
    if (known !== undefined) return known;
    const tiles = panelsOf(up(count, 16) / 4);
    this.tilesOf.set(count, tiles);
    return tiles;
  }

  /** After `forward`. */
  logitsView(_count: number): Logits {
    const { out, outputs } = this.layers.at(-1)!;
    return { values: this.arena.f32(out, (outputs * this.stride) / 4), perImage: 1, perClass: this.stride / 4 };
  }

  /** After `forward`: units above zero in each hidden layer, summed over the images. */
  activeCounts(count: number): number[] {
    const vectors = up(count, 16) / 4;
    return this.layers
      .slice(0, -1)
      .map(({ outputs, out }) => this.kernels.countPositive!(outputs, vectors, out, this.stride));
  }

  /** See DenseNetwork.backward. */
  backward(subset: Subset, order: number, count: number): void {
    const { kernels, stride } = this;
    const last = this.layers.at(-1)!;
    const lanes = up(count, 16);
    kernels.softmax!(lanes, count, last.outputs, last.out, stride, order, subset.labels, this.chosen, this.peak);
    for (let l = this.layers.length - 1; l > 0; l--) {
      const [layer, before] = [this.layers[l]!, this.layers[l - 1]!];
      const gradient = l === this.layers.length - 1 ? layer.out : layer.outGradient;
      for (const { width, first } of this.tiles(count)) {
        const at = first * 16;
        kernels[`tile.${this.hasRelu(l - 1) ? 'mask' : 'store'}${width}`]!(
          ...[before.computed, layer.inputLists!.table, 4, gradient + at],
          ...[before.outGradient + at, stride, before.out + at, stride],
        );
      }
    }
    let inputs = this.inputs;
    for (const layer of this.layers) {
      const gradient = layer === last ? layer.out : layer.outGradient;
      const bytes = 4 * lanes;
      kernels.rowSums!(layer.computed, bytes, gradient, stride, layer.gradient + layer.biasOffset);
      if (layer.groups > 0)
        kernels.sampledRow!(
          bytes,
          layer.groups,
          layer.groupTable,
          layer.inputOffsets,
          inputs,
          gradient,
          layer.gradient,
        );
      else
        kernels.sampledAny!(
          ...[bytes, Math.ceil(layer.active / ANY_GROUP), layer.inputOffsets, layer.gradientOffsets],
          ...[inputs, gradient, layer.gradient],
        );
      // A last group that is not full writes past the survivors that have a gradient.
      this.arena.f32(layer.gradient + 4 * layer.active, SPARE).fill(0);
      inputs = layer.out;
    }
  }

  /** See DenseNetwork.update. */
  update(_count: number, schedule: Schedule): void {
    schedule.setDecay(true);
    for (const layer of this.layers) this.step(layer, 0, layer.survivors);
    schedule.setDecay(false);
    for (const layer of this.layers) this.step(layer, layer.biasOffset, layer.outputs);
    this.refresh();
  }

  private step({ values, first, second, gradient }: Layer, offset: number, count: number): void {
    this.kernels.updateFlat!(Math.ceil(count / 4), values + offset, first + offset, second + offset, gradient + offset);
  }
}

/** Rows for the inputs that some survivor reads, in order. */
function readRows(mask: Uint8Array, inputs: number, outputs: number): Rows {
  const of = new Int32Array(inputs).fill(-1);
  let count = 0;
  for (let input = 0; input < inputs; input++)
    if (mask.subarray(input * outputs, (input + 1) * outputs).includes(1)) of[input] = count++;
  return { of, count };
}

/** Units by row, and after them those without one. */
function inOrderOfRows({ of, count }: Rows): Uint32Array {
  const units = new Uint32Array(of.length);
  let rest = count;
  for (const [unit, row] of of.entries()) units[row === -1 ? rest++ : row] = unit;
  return units;
}

/** Places in [in, out] of the survivors, by unit in the order given and then by input; how many the first units have. */
function survivorsByUnit(
  mask: Uint8Array,
  inputs: number,
  outputs: number,
  units: Uint32Array,
  computed: number,
): { places: Uint32Array; active: number } {
  const order = new Uint32Array(outputs);
  for (const [index, unit] of units.entries()) order[unit] = index;
  const next = new Uint32Array(outputs + 1);
  for (let place = 0; place < mask.length; place++) if (mask[place] !== 0) next[order[place % outputs]! + 1]!++;
  for (let index = 0; index < outputs; index++) next[index + 1]! += next[index]!;
  const active = next[computed]!;
  const places = new Uint32Array(next[outputs]!);
  for (let input = 0; input < inputs; input++)
    for (let unit = 0; unit < outputs; unit++) {
      const place = input * outputs + unit;
      if (mask[place] !== 0) places[next[order[unit]!]!++] = place;
    }
  return { places, active };
}
