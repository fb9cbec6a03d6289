/** A worker's own memory: laid out anew for each network, so that it grows to the widest and not with their number. */
import { DataError } from '../../../sweep/errors';
import { HEAP } from './kernels/memory';

const PAGE = 65536;
/** A whole cache line more than a power of two apart, so that rows of one panel do not fall on the same cache sets. */
const ALIGNMENT = 128;

export class Arena {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
  private top = HEAP;

  /** Forgets the layout before. */
  reset(): void {
    this.top = HEAP;
  }

  /** Zeroed memory. @returns its address */
  allocate(bytes: number): number {
    const address = this.top;
    this.top = Math.ceil((address + bytes) / ALIGNMENT) * ALIGNMENT;
    // What a loop reads ahead of its last row must be there.
    const missing = this.top + PAGE - this.memory.buffer.byteLength;
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        const needed = Math.ceil(this.top / 2 ** 20);
        throw new DataError(
          `a network of this size needs more than ${needed} MiB of the 4,096 MiB that a worker can address; take smaller hidden widths or batches`,
        );
      }
    }
    this.u8(address, this.top - address).fill(0);
    return address;
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  u32(address: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, address, length);
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  /** One value in all four lanes. */
  splat(address: number, value: number): void {
    this.f32(address, 4).fill(value);
  }
}
