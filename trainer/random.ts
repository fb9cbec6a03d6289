/**
 * Seeded random streams: one for each (seed, purpose), so that no draw depends on what else is drawn or in what order
 * work is done. xoshiro128** (Blackman and Vigna 2018), its state the first 16 bytes of a SHA-256.
 */
import { createHash } from 'node:crypto';

export class RandomStream {
  private readonly state: Uint32Array;

  constructor(seed: number, ...purpose: (string | number)[]) {
    const digest = createHash('sha256')
      .update(JSON.stringify([seed, ...purpose]))
      .digest();
    this.state = Uint32Array.from([0, 4, 8, 12], (offset) => digest.readUInt32LE(offset));
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const s = this.state;
    const scrambled = Math.imul(s[1]!, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result;
  }

  /** An integer from 0 to bound - 1, each equally likely (Lemire 2019: rejection on the low half of the product). */
  below(bound: number): number {
    for (;;) {
      const draw = this.next();
      // draw * bound < 2^53 for bounds up to 2^21, and data sets are smaller; exact in float64.
      const product = draw * bound;
      const high = Math.floor(product / 2 ** 32);
      const low = product - high * 2 ** 32;
      // What is rejected lies below the bound; the remainder, five times as slow as the rest, is seldom looked at.
      if (low >= bound || low >= (2 ** 32 - bound) % bound) return high;
    }
  }

  /** Strictly between -1 and 1 and never 0: the odd multiples of 2^-24, all exact in float32. */
  symmetric(): number {
    return (2 * (this.next() >>> 8) + 1 - 2 ** 24) / 2 ** 24;
  }

  /** 0 to count - 1 in random order (Fisher and Yates). */
  permutation(count: number): Uint32Array {
    const order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    for (let i = count - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }
}
