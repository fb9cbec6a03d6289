/**
 * A pruned network that costs what is left of it: the surviving weights as lists, activations [features, images].
 *
 * The images of a batch are columns, worked on in tiles of up to 52, so that one surviving weight is one multiplication
 * of a row of activations. Each unit's list begins with nothing and ends with its bias, the weight of a row of ones.
 */
import type { SharedImages, Subset } from '../../data/images';
import type { Masks, Parameters } from '../../network';
import type { Arena } from './arena';
import { ANY_GROUP, type Kernels, type Panel, panelsOf, ROW_GROUP } from './kernels';

interface Layer {
  inputs: number;
  outputs: number;
  survivors: number;
  /** Each survivor's place in [in, out], by unit and then by input. */
  places: Uint32Array;
  /** f32 [survivors] then, aligned, [outputs] biases; first and second moments alike. */
  values: number;
  first: number;
  second: number;
  gradient: number;
  /** Bytes from the first survivor's value to the first bias. */
  biasOffset: number;
  /** Lists of each unit's survivors, and of each input's. */
  entries: number;
  list: number;
  positions: number;
  columnEntries: number;
  columnList: number;
  columnPositions: number;
  /** Where each survivor's row of inputs and of output gradients begins. */
  inputOffsets: number;
  gradientOffsets: number;
  /** Groups of survivors that share a unit; 0 when survivors are so few that any three go together. */
  groups: number;
  groupTable: number;
  out: number;
  outGradient: number;
}

const up = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/** Cycles of a batch of 128, measured: a group of five takes 110, a survivor in a group of any three 33. */
const rowGroupsPay = (survivors: number, groups: number) => 110 * groups < 33 * survivors;

export class SparseNetwork {
  private readonly layers: Layer[] = [];
  /** Bytes from one feature's row to the next: a line more than a power of two, so that a tile spreads over all cache sets. */
  private readonly stride: number;
  /** Input rows that some survivor reads; the others share one row that nobody reads. */
  private readonly inputRows: number;
  private readonly inputs: number;
  private readonly position: number;
  private readonly ones: number;
  private lanes = 0;
  private readonly tilesOf = new Map<number, Panel[]>();
  readonly chosen: number;
  readonly peak: number;

  constructor(
    private readonly arena: Arena,
    private readonly kernels: Kernels,
    images: SharedImages,
    private readonly scale: number,
    private readonly sizes: readonly number[],
    batch: number,
    masks: Masks,
  ) {
    const lanes = up(batch, 16);
    this.stride = lanes * 4 + 64;
    const { rowOfInput, rows } = inputRows(masks[0]!, sizes[0]!, sizes[1]!);
    this.inputRows = rows;
    // One row for the inputs that nobody reads, one of ones.
    this.inputs = arena.allocate((rows + 2) * this.stride);
    this.position = arena.allocate(4 * sizes[0]!);
    const position = arena.u32(this.position, sizes[0]!);
    for (let input = 0; input < sizes[0]!; input++)
      position[images.position[input]!] = (rowOfInput[input] === -1 ? rows : rowOfInput[input]!) * this.stride;
    this.ones = rows + 1;
    for (const [l, mask] of masks.entries())
      this.layers.push(this.layout(l, mask, l === 0 ? (input) => rowOfInput[input]! : (input) => input));
    this.chosen = arena.allocate(4 * lanes);
    this.peak = arena.allocate(4 * lanes);
  }

  private layout(l: number, mask: Uint8Array, rowOf: (input: number) => number): Layer {
    const { arena, stride } = this;
    const [inputs, outputs] = [this.sizes[l]!, this.sizes[l + 1]!];
    const places = survivorsByUnit(mask, inputs, outputs);
    const survivors = places.length;
    const spare = survivors + ROW_GROUP;
    const biasOffset = up(4 * spare, 16);
    const bytes = biasOffset + up(4 * outputs, 16);
    const layer: Layer = {
      ...{ inputs, outputs, survivors, places, biasOffset },
      values: arena.allocate(bytes),
      first: arena.allocate(bytes),
      second: arena.allocate(bytes),
      gradient: arena.allocate(bytes),
      entries: arena.allocate(8 * (survivors + outputs)),
      list: arena.allocate(4 * (outputs + 1)),
      positions: arena.allocate(4 * (survivors + outputs)),
      columnEntries: arena.allocate(8 * survivors + 8),
      columnList: arena.allocate(4 * (inputs + 1)),
      columnPositions: arena.allocate(4 * survivors + 4),
      inputOffsets: arena.allocate(4 * spare),
      gradientOffsets: arena.allocate(4 * spare),
      groups: 0,
      groupTable: 0,
      // Above a hidden layer's units lies its row of ones.
      out: arena.allocate((outputs + 1) * stride),
      outGradient: arena.allocate(outputs * stride),
    };
    this.fillUnitLists(layer, l === 0 ? this.ones : inputs, rowOf);
    if (l > 0) this.fillInputLists(layer);
    this.fillGroups(layer);
    return layer;
  }

  /** Each unit's entries: its survivors by input, then its bias. */
  private fillUnitLists(layer: Layer, onesRow: number, rowOf: (input: number) => number): void {
    const { survivors, outputs } = layer;
    const entries = this.arena.u32(layer.entries, 2 * (survivors + outputs));
    const list = this.arena.u32(layer.list, outputs + 1);
    const positions = this.arena.u32(layer.positions, survivors + outputs);
    const inputOffsets = this.arena.u32(layer.inputOffsets, survivors);
    const gradientOffsets = this.arena.u32(layer.gradientOffsets, survivors);
    let survivor = 0;
    let entry = 0;
    const append = (row: number, valueOffset: number) => {
      entries[2 * entry] = row;
      positions[entry++] = valueOffset;
    };
    for (let unit = 0; unit < outputs; unit++) {
      list[unit] = layer.entries + 8 * entry;
      for (; survivor < survivors && layer.places[survivor]! % outputs === unit; survivor++) {
        const row = rowOf(Math.floor(layer.places[survivor]! / outputs));
        inputOffsets[survivor] = row * this.stride;
        gradientOffsets[survivor] = unit * this.stride;
        append(row, 4 * survivor);
      }
      append(onesRow, layer.biasOffset + 4 * unit);
    }
    list[outputs] = layer.entries + 8 * entry;
  }

  /** Each input's entries, by unit. */
  private fillInputLists(layer: Layer): void {
    const { survivors, inputs, outputs, places } = layer;
    const list = this.arena.u32(layer.columnList, inputs + 1);
    const entries = this.arena.u32(layer.columnEntries, 2 * survivors);
    const positions = this.arena.u32(layer.columnPositions, survivors);
    const next = new Uint32Array(inputs + 1);
    for (const place of places) next[Math.floor(place / outputs) + 1]!++;
    for (let input = 0; input < inputs; input++) next[input + 1]! += next[input]!;
    for (const [input, count] of next.entries()) list[input] = layer.columnEntries + 8 * count;
    for (const [survivor, place] of places.entries()) {
      const at = next[Math.floor(place / outputs)]!++;
      entries[2 * at] = place % outputs;
      positions[at] = 4 * survivor;
    }
  }

  private fillGroups(layer: Layer): void {
    const groups: number[] = [];
    for (let survivor = 0; survivor < layer.survivors; ) {
      const unit = layer.places[survivor]! % layer.outputs;
      groups.push(unit * this.stride, 4 * survivor);
      for (let taken = 0; taken < ROW_GROUP && survivor < layer.survivors; taken++, survivor++)
        if (layer.places[survivor]! % layer.outputs !== unit) break;
    }
    if (!rowGroupsPay(layer.survivors, groups.length / 2)) return;
    layer.groups = groups.length / 2;
    layer.groupTable = this.arena.allocate(4 * groups.length);
    this.arena.u32(layer.groupTable, groups.length).set(groups);
  }

  private part(layer: Layer, part: 0 | 1 | 2): number {
    return part === 0 ? layer.values : part === 1 ? layer.first : layer.second;
  }

  /** @param part 0 weights, 1 first moments, 2 second moments */
  write(part: 0 | 1 | 2, parameters: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const values = this.arena.f32(this.part(layer, part), layer.survivors);
      for (const [i, place] of layer.places.entries()) values[i] = parameters.weights[l]![place]!;
      this.arena.f32(this.part(layer, part) + layer.biasOffset, layer.outputs).set(parameters.biases[l]!);
    }
    if (part === 0) this.refresh();
  }

  /** Leaves the weights that were pruned as they are in `into`. */
  read(part: 0 | 1 | 2, into: Parameters): void {
    for (const [l, layer] of this.layers.entries()) {
      const values = this.arena.f32(this.part(layer, part), layer.survivors);
      for (const [i, place] of layer.places.entries()) into.weights[l]![place] = values[i]!;
      into.biases[l]!.set(this.arena.f32(this.part(layer, part) + layer.biasOffset, layer.outputs));
    }
  }

  /** Brings the lists' copies of the values up to date. */
  private refresh(): void {
    for (const [l, layer] of this.layers.entries()) {
      this.kernels.refresh!(layer.survivors + layer.outputs, layer.positions, layer.values, layer.entries);
      if (l > 0) this.kernels.refresh!(layer.survivors, layer.columnPositions, layer.values, layer.columnEntries);
    }
  }

  /** The first `count` lanes of every row of ones are 1, so that the other lanes of a batch stay 0. */
  private setLanes(count: number): void {
    if (this.lanes === count) return;
    this.lanes = count;
    const rows = [this.inputs + this.ones * this.stride];
    for (const layer of this.layers.slice(0, -1)) rows.push(layer.out + layer.outputs * this.stride);
    for (const row of rows)
      this.arena
        .f32(row, this.stride / 4)
        .fill(0)
        .fill(1, 0, count);
  }

  /** See DenseNetwork.forward. */
  forward(subset: Subset, order: number, count: number, identity = -1): void {
    const { kernels, stride } = this;
    this.setLanes(count);
    this.arena.u8(this.inputs, (this.inputRows + 1) * stride).fill(0);
    const from = [subset.starts, subset.pixels, this.scale] as const;
    kernels.scatterImages!(count, order, ...from, this.position, this.inputs);
    let inputs = this.inputs;
    for (const [l, layer] of this.layers.entries()) {
      const relu = l < this.layers.length - 1 && l !== identity;
      for (const { width, first } of this.tiles(count)) {
        const at = first * 16;
        kernels[(relu ? 'relu' : 'store') + width]!(
          ...[layer.outputs, layer.list, 4, inputs + at, stride],
          ...[layer.out + at, stride, 0, 0],
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

  /** After `forward`: the logits, [classes, stride / 4] floats. */
  logitsView(): { values: Float32Array; stride: number } {
    const last = this.layers.at(-1)!;
    return { values: this.arena.f32(last.out, (last.outputs * this.stride) / 4), stride: this.stride / 4 };
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
        kernels[`mask${width}`]!(
          ...[layer.inputs, layer.columnList, 4, gradient + at, stride],
          ...[before.outGradient + at, stride, before.out + at, stride],
        );
      }
    }
    let inputs = this.inputs;
    for (const layer of this.layers) {
      const gradient = layer === last ? layer.out : layer.outGradient;
      const bytes = 4 * lanes;
      kernels.rowSums!(layer.outputs, bytes, gradient, stride, layer.gradient + layer.biasOffset);
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
          ...[bytes, Math.ceil(layer.survivors / ANY_GROUP), layer.inputOffsets, layer.gradientOffsets],
          ...[inputs, gradient, layer.gradient],
        );
      inputs = layer.out;
    }
  }

  /** See DenseNetwork.update. */
  update(_count: number, setDecay: (on: boolean) => void, _decay: boolean): void {
    setDecay(true);
    for (const layer of this.layers) this.step(layer, 0, layer.survivors);
    setDecay(false);
    for (const layer of this.layers) this.step(layer, layer.biasOffset, layer.outputs);
    this.refresh();
  }

  private step({ values, first, second, gradient }: Layer, offset: number, count: number): void {
    this.kernels.updateFlat!(Math.ceil(count / 4), values + offset, first + offset, second + offset, gradient + offset);
  }
}

/** Rows for the inputs that some survivor reads, in order. */
function inputRows(mask: Uint8Array, inputs: number, outputs: number): { rowOfInput: Int32Array; rows: number } {
  const rowOfInput = new Int32Array(inputs).fill(-1);
  let rows = 0;
  for (let input = 0; input < inputs; input++)
    if (mask.subarray(input * outputs, (input + 1) * outputs).includes(1)) rowOfInput[input] = rows++;
  return { rowOfInput, rows };
}

/** Places in [in, out] of the survivors, by unit and then by input. */
function survivorsByUnit(mask: Uint8Array, inputs: number, outputs: number): Uint32Array {
  const counts = new Uint32Array(outputs + 1);
  for (let place = 0; place < mask.length; place++) if (mask[place] !== 0) counts[(place % outputs) + 1]!++;
  for (let unit = 0; unit < outputs; unit++) counts[unit + 1]! += counts[unit]!;
  const places = new Uint32Array(counts[outputs]!);
  for (let input = 0; input < inputs; input++)
    for (let unit = 0; unit < outputs; unit++) {
      const place = input * outputs + unit;
      if (mask[place] !== 0) places[counts[unit]!++] = place;
    }
  return places;
}
