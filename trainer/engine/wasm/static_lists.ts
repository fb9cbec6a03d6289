/** Lists of surviving weights: made once a training, their values brought up to date after each step. */
import type { Arena } from './arena';
import type { Kernels } from './kernels';
import { ENTRY } from './kernels/vocabulary';

export class StaticLists {
  /** Addresses of the lists' first entries, and of the last one's end. */
  readonly table: number;
  private readonly entries: number;
  /** Of each entry the byte offset of its value among the layer's values. */
  private readonly positions: number;
  private count = 0;

  /**
   * @param lists how many there are
   * @param total how many entries they have at most
   * @param zero byte offset of a value that is always 0, for entries that make lists even
   */
  constructor(
    arena: Arena,
    lists: number,
    total: number,
    zero: number,
    fill: (append: (row: number, value: number) => void, end: () => void) => void,
  ) {
    const capacity = total + lists;
    this.table = arena.allocate(4 * (lists + 1));
    this.entries = arena.allocate(ENTRY * capacity);
    this.positions = arena.allocate(4 * capacity);
    const table = arena.u32(this.table, lists + 1);
    const entries = arena.u32(this.entries, 2 * capacity);
    const positions = arena.u32(this.positions, capacity);
    const append = (row: number, value: number) => {
      entries[2 * this.count] = row;
      positions[this.count++] = value;
    };
    let list = 0;
    table[0] = this.entries;
    fill(append, () => {
      if (this.count % 2 === 1) append(0, zero);
      table[++list] = this.entries + ENTRY * this.count;
    });
  }

  /** Copies the values at `values` into the entries. */
  refresh(kernels: Kernels, values: number): void {
    kernels.refresh!(this.count, this.positions, values, this.entries);
  }
}
