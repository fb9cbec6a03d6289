import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Assembler, call, v128 } from '../../../../../trainer/engine/wasm/assembler';
import { emulateFusedMultiplyAdd } from '../../../../../trainer/engine/wasm/kernels/fused';

/** Four float32 from memory at 0, 16 and 32, their a * b + c to 48, as a machine without the instruction makes it. */
function emulation(): (a: number[], b: number[], c: number[]) => Float32Array {
  const assembler = new Assembler();
  emulateFusedMultiplyAdd(assembler);
  assembler.define('run', ['at'], (body, { at }) =>
    body.storeV128(at, call(0, v128.load(at), v128.load(at, 16), v128.load(at, 32)), 48),
  );
  const own = new WebAssembly.Memory({ initial: 1 });
  const shared = new WebAssembly.Memory({ initial: 0, maximum: 65536, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(assembler.assemble()), { memory: { own, shared } });
  const run = (instance.exports as { run(at: number): void }).run;
  const memory = new Float32Array(own.buffer, 0, 16);
  return (a, b, c) => {
    memory.set([...a, ...b, ...c]);
    run(0);
    return memory.slice(12, 16);
  };
}

/** A float32 as mantissa * 2^exponent. */
function split(x: number): { mantissa: bigint; exponent: number } {
  const bits = new Uint32Array(new Float32Array([x]).buffer)[0]!;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  const size = exponent === 0 ? fraction : fraction + 0x800000;
  return { mantissa: BigInt(bits >>> 31 ? -size : size), exponent: Math.max(exponent, 1) - 150 };
}

/** a * b + c in integers, rounded to the nearest float32, ties to even. */
function exactly(a: number, b: number, c: number): number {
  const [x, y, z] = [split(a), split(b), split(c)];
  const least = Math.min(x.exponent + y.exponent, z.exponent);
  const sum =
    ((x.mantissa * y.mantissa) << BigInt(x.exponent + y.exponent - least)) + (z.mantissa << BigInt(z.exponent - least));
  const size = sum < 0n ? -sum : sum;
  const drop = Math.max(size.toString(2).length - 24, -149 - least, 0);
  const unit = 1n << BigInt(drop);
  let kept = size / unit;
  const rest = 2n * (size % unit);
  if (rest > unit || (rest === unit && kept % 2n === 1n)) kept += 1n;
  return Math.fround(Number(sum < 0n ? -kept : kept) * 2 ** (least + drop));
}

/** Any float32 that is finite, by its bits. */
const float = fc
  .integer({ min: 0, max: 2 ** 32 - 1 })
  .map((bits) => new Float32Array(new Uint32Array([bits]).buffer)[0]!)
  .filter(Number.isFinite);
/** Exponents near each other, where sums cancel and ties happen. */
const near = fc
  .tuple(fc.integer({ min: -(2 ** 24), max: 2 ** 24 }), fc.integer({ min: -26, max: 2 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent);

describe('the emulated multiply-add', () => {
  it.each([
    ['any numbers', float],
    ['numbers of like size', near],
  ])('rounds once, of %s', (_, number) => {
    const multiplyAdd = emulation();
    const four = fc.array(number, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(four, four, four, (a, b, c) => {
        const result = multiplyAdd(a, b, c);
        for (let i = 0; i < 4; i++) {
          const expected = exactly(a[i]!, b[i]!, c[i]!);
          if (result[i] !== expected) throw new Error(`${a[i]} * ${b[i]} + ${c[i]} is ${result[i]}, not ${expected}`);
        }
      }),
      { numRuns: 20000, seed: 1 },
    );
  });

  it('rounds once where rounding by way of float64 ends at the other neighbour', () => {
    // Just below the middle between 1 + 2^-23 and 1 + 2^-22, by less than float64 can tell.
    const [a, b, c] = [1 + 2 ** -23, 2 ** -24 * (1 - 2 ** -23), 1 + 2 ** -23];
    expect(Math.fround(a * b + c)).toBe(1 + 2 ** -22);
    const result = emulation()([a, -a, a, a], [b, b, -b, b], [c, -c, -c, c]);
    expect([...result]).toEqual([1 + 2 ** -23, -1 - 2 ** -23, -1 - 2 ** -23, 1 + 2 ** -23]);
  });

  it('leaves infinities and what is not a number as IEEE 754 has them', () => {
    const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
    expect(emulation()([inf, 2, 1, 3e38], [1, 3, nan, 3e38], [1, -inf, 1, 1])).toEqual(
      Float32Array.from([inf, -inf, nan, inf]),
    );
  });
});

describe('a machine without a fused multiply-add', () => {
  it('trains to the same bytes as one with it, and so does the compiler that starts first', () => {
    const program = join(__dirname, 'train_and_hash.ts');
    const hash = (...flags: string[]) => {
      const run = spawnSync(process.execPath, [...flags, '-r', 'ts-node/register/transpile-only', program], {
        encoding: 'utf8',
      });
      expect(run.stderr).toBe('');
      return JSON.parse(run.stdout) as { fused: boolean; hash: string };
    };
    const here = hash();
    const emulated = hash('--no-enable-fma3');
    if (process.arch === 'x64') expect(emulated.fused).toBe(false);
    expect(emulated.hash).toBe(here.hash);
    expect(hash('--liftoff-only').hash).toBe(here.hash);
  });
});
