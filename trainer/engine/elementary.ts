/**
 * exp and log from operations whose rounding IEEE 754 fixes: Math.exp and Math.log may differ in the last bit between
 * versions of V8, and a record must be the same on every machine. Errors below 1 ulp (fdlibm's e_exp.c and e_log.c).
 */

const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const scratch = new DataView(new ArrayBuffer(8));

/** 2^n for integers -1022..1023. */
function powerOfTwo(n: number): number {
  scratch.setUint32(0, (n + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}

/** e^x; 0 below -708. */
export function exp(x: number): number {
  if (x < -708) return 0;
  const n = Math.floor(x / Math.LN2 + 0.5);
  const high = x - n * LN2_HIGH;
  const low = n * LN2_LOW;
  const r = high - low;
  const t = r * r;
  const p5 = 4.1381367970572385e-8;
  const p4 = -1.6533902205465252e-6 + t * p5;
  const p3 = 6.613756321437934e-5 + t * p4;
  const p2 = -0.0027777777777015593 + t * p3;
  const c = r - t * (0.16666666666666602 + t * p2);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  return y * powerOfTwo(n);
}

/** The natural logarithm of a positive normal number. */
export function log(x: number): number {
  scratch.setFloat64(0, x);
  let exponent = (scratch.getUint32(0) >>> 20) - 1023;
  scratch.setUint32(0, (scratch.getUint32(0) & 0xfffff) | (1023 << 20));
  let mantissa = scratch.getFloat64(0);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    exponent += 1;
  }
  const f = mantissa - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const even = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373));
  const odd = z * (0.6666666666666735 + w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)));
  const half = 0.5 * f * f;
  return exponent * LN2_HIGH - (half - (s * (half + even + odd) + exponent * LN2_LOW) - f);
}
