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
 * A list is a table of addresses, `table[k]..table[k+1]` the entries of row k, each entry {u32 index, f32 value}. Lists
 * are even in number, since kernels take two entries a turn: an entry of value 0 fills up where need be.
 * `width` is the number of vectors of four floats that a kernel carries in registers.
 *
 * Order of sums: the bias, then entries from first to last, each added by one fused multiply-add (one rounding); blocks
 * of a row are summed apart and added in order. At survivors: images i, i + 8, i + 16 and so on in eight sums (sixteen
 * in `sampledAny`), which are then added two by two.
 */
import { Assembler } from '../assembler';
import { HAS_FUSED_MULTIPLY_ADD } from '../machine';
import { emulateFusedMultiplyAdd } from './fused';
import { copyRows, gatherPixels, refresh, transpose } from './layout';
import { columns, gatherImages, gatherRows } from './lists';
import { type KernelSettings, updateFlat } from './optimiser';
import { EPILOGUES, listTimesMatrix, MAX_WIDTH } from './product';
import { countPositive, rowSums, sampledAny, sampledRow } from './sampled';
import { softmax } from './softmax';

type Kernel = (...parameters: number[]) => number;
export type Kernels = Record<string, Kernel>;

const modules = new Map<string, WebAssembly.Module>();

/** The kernels for one kind of training over a worker's own memory and the shared data set. */
export function instantiate(settings: KernelSettings, own: WebAssembly.Memory, shared: WebAssembly.Memory): Kernels {
  const key = JSON.stringify([settings.optimizer, settings.decay, settings.masked]);
  let module = modules.get(key);
  if (module === undefined) {
    const assembler = new Assembler();
    if (!HAS_FUSED_MULTIPLY_ADD) emulateFusedMultiplyAdd(assembler);
    for (const epilogue of EPILOGUES)
      for (let width = 1; width <= MAX_WIDTH; width++)
        for (const rows of ['panel', 'tile'] as const) listTimesMatrix(assembler, rows, width, epilogue, settings);
    updateFlat(assembler, settings);
    gatherRows(assembler, 'activations');
    gatherRows(assembler, 'gradients');
    for (const define of [
      ...[gatherImages, columns, transpose, copyRows, softmax],
      ...[gatherPixels, refresh, sampledRow, sampledAny, rowSums, countPositive],
    ])
      define(assembler);
    module = new WebAssembly.Module(assembler.assemble());
    modules.set(key, module);
  }
  return new WebAssembly.Instance(module, { memory: { own, shared } }).exports as Kernels;
}
