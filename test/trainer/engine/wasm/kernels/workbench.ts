/** Memory, kernels and random numbers for the tests that hold a kernel against a plain loop. */
import fc from 'fast-check';
import { Arena } from '../../../../../trainer/engine/wasm/arena';
import { instantiate, type Kernels } from '../../../../../trainer/engine/wasm/kernels';
import type { KernelSettings } from '../../../../../trainer/engine/wasm/kernels/optimiser';
import { ENTRY } from '../../../../../trainer/engine/wasm/kernels/vocabulary';

/** Half an ulp of a number near 1. */
export const ROUNDING = 2 ** -24;

export interface Entry {
  index: number;
  value: number;
}

export class Workbench {
  readonly arena = new Arena();
  readonly shared = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
  readonly kernels: Kernels;

  constructor(settings: KernelSettings = { optimizer: 'adam', decay: false, masked: false }) {
    this.kernels = instantiate(settings, this.arena.memory, this.shared);
  }

  floats(values: ArrayLike<number>): number {
    const address = this.arena.allocate(4 * values.length);
    this.arena.f32(address, values.length).set(values);
    return address;
  }

  words(values: ArrayLike<number>): number {
    const address = this.arena.allocate(4 * values.length);
    this.arena.u32(address, values.length).set(values);
    return address;
  }

  /** Lists made even in number with entries of value 0. @returns the address of their table */
  lists(lists: readonly (readonly Entry[])[]): number {
    const even = lists.map((list) => (list.length % 2 === 0 ? list : [...list, { index: 0, value: 0 }]));
    const entries = this.arena.allocate(ENTRY * even.flat().length);
    const table = this.arena.allocate(4 * (lists.length + 1));
    for (const [i, { index, value }] of even.flat().entries()) {
      this.arena.u32(entries + ENTRY * i, 1)[0] = index;
      this.arena.f32(entries + ENTRY * i + 4, 1)[0] = value;
    }
    let at = entries;
    for (const [i, list] of even.entries()) {
      this.arena.u32(table + 4 * i, 1)[0] = at;
      at += ENTRY * list.length;
    }
    this.arena.u32(table + 4 * even.length, 1)[0] = at;
    return table;
  }

  readFloats(address: number, count: number): Float32Array {
    return this.arena.f32(address, count).slice();
  }

  /** The lists behind a table, without the entries that only make them even. */
  readLists(table: number, count: number): Entry[][] {
    const bounds = this.arena.u32(table, count + 1);
    return Array.from({ length: count }, (_, i) => {
      const length = (bounds[i + 1]! - bounds[i]!) / ENTRY;
      if (length % 2 !== 0 || bounds[i]! % 16 !== 0)
        throw new Error('a list is odd or does not begin at a multiple of 16');
      const words = this.arena.u32(bounds[i]!, 2 * length);
      const values = this.arena.f32(bounds[i]!, 2 * length);
      return Array.from({ length }, (_, k) => ({ index: words[2 * k]!, value: values[2 * k + 1]! })).filter(
        ({ value }) => value !== 0,
      );
    });
  }
}

/** Numbers as networks have them: a share of zeros, the others of any sign, spread over some powers of two. */
export const numbers = (length: number, zeros = 0): fc.Arbitrary<number[]> =>
  fc.array(
    fc
      .tuple(
        fc.integer({ min: 0, max: 99 }),
        fc.integer({ min: -(2 ** 20), max: 2 ** 20 }),
        fc.integer({ min: 0, max: 8 }),
      )
      .map(([chance, mantissa, exponent]) =>
        chance < 100 * zeros ? 0 : Math.fround((mantissa / 2 ** 20) * 2 ** -exponent),
      ),
    { minLength: length, maxLength: length },
  );

export const share = fc.constantFrom(0, 0.5, 0.9);
