/** What the kernels ask of V8 and of the processor. */
import { setFlagsFromString } from 'node:v8';
import { Assembler, f32x4 } from './assembler';

/**
 * V8 12.4 (Node 22) reorders and unrolls loops so that registers spill; its newer compiler, the default since, keeps the
 * order that a kernel is written in. An epoch of 300-100: dense 1.11 s became 0.75, 0.52 at 10 %, 0.062 became 0.053 at 0.5 %.
 */
if (process.versions.v8.startsWith('12.4.'))
  for (const flag of ['--turboshaft-wasm', '--no-wasm-loop-unrolling']) setFlagsFromString(flag);

/**
 * Whether relaxed_madd rounds once, as on every ARM64 processor and x86-64 ones since 2013. Elsewhere `fused.ts` takes
 * its place: the same bytes, but some 30 times slower.
 */
export const HAS_FUSED_MULTIPLY_ADD = ((): boolean => {
  const assembler = new Assembler();
  assembler.define(
    'probe',
    [],
    (body) => {
      const square = f32x4.relaxedMadd(
        f32x4.const(1 + 2 ** -12),
        f32x4.const(1 + 2 ** -12),
        f32x4.const(-1 - 2 ** -11),
      );
      body.result(f32x4.extractLane(0, square));
    },
    ['f32'],
  );
  const own = new WebAssembly.Memory({ initial: 0 });
  const shared = new WebAssembly.Memory({ initial: 0, maximum: 65536, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(assembler.assemble()), { memory: { own, shared } });
  return (instance.exports as { probe(): number }).probe() === 2 ** -24;
})();
