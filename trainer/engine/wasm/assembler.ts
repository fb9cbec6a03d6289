/**
 * A small assembler for WebAssembly: kernels are written as TypeScript functions over typed expressions, and become a
 * module when a worker starts (3 ms). Writing loops of a chosen width needs a program that writes them; this one adds
 * no compiler to the installation and emits exactly the order of operations that the kernel's source shows, which is
 * what the rounding of sums and V8's register allocation depend on.
 *
 * Specification: WebAssembly core 3.0, binary format, with multiple memories and relaxed SIMD.
 */

export type Type = 'i32' | 'f32' | 'v128';
const TYPE_CODE: Record<Type, number> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** Code that leaves one value on the stack. */
export type Expression = readonly number[];

/** A parameter or local variable of a function. */
export class Local {
  constructor(readonly index: number) {}
}

export type Operand = Expression | Local | number;

const unsigned = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
};

const signed = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
};

const float32 = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)];

/** A bare number is an i32 constant. */
const code = (operand: Operand): Expression =>
  typeof operand === 'number'
    ? [0x41, ...signed(operand)]
    : operand instanceof Local
      ? [0x20, ...unsigned(operand.index)]
      : operand;

const plain =
  (...opcode: number[]) =>
  (...operands: Operand[]): Expression => [...operands.flatMap(code), ...opcode];

const vector = (opcode: number) => plain(0xfd, ...unsigned(opcode));

/** Memory access: `memory` 0 is the worker's own, 1 the data set that all workers share. */
const access = (opcode: number[], alignment: number, memory: 0 | 1, offset: number): number[] => [
  ...opcode,
  ...(memory === 0 ? [alignment] : [alignment | 0x40, memory]),
  ...unsigned(offset),
];
const load =
  (opcode: number[], alignment: number) =>
  (address: Operand, offset = 0, memory: 0 | 1 = 0): Expression => [
    ...code(address),
    ...access(opcode, alignment, memory, offset),
  ];

export const i32 = {
  add: plain(0x6a),
  mul: plain(0x6c),
  and: plain(0x71),
  shl: plain(0x74),
  shrU: plain(0x76),
  ltU: plain(0x49),
  load: load([0x28], 2),
  load8U: load([0x2d], 0),
};

export const f32 = {
  const: (value: number): Expression => [0x43, ...float32(value)],
  sub: plain(0x93),
  load: load([0x2a], 2),
};

const splatBytes = (value: number[]): Expression => [0xfd, 12, ...value, ...value, ...value, ...value];

export const f32x4 = {
  const: (value: number): Expression => splatBytes(float32(value)),
  add: vector(228),
  sub: vector(229),
  mul: vector(230),
  div: vector(231),
  sqrt: vector(227),
  pmax: vector(235),
  ne: vector(66),
  gt: vector(68),
  nearest: vector(106),
  neg: vector(225),
  /** a * b + c and c - a * b, rounded once or twice as the machine likes best. */
  relaxedMadd: vector(0x105),
  relaxedNmadd: vector(0x106),
  extractLane: (lane: number, operand: Operand): Expression => [...code(operand), 0xfd, 31, lane],
};

const float64 = (value: number): number[] => [...new Uint8Array(new Float64Array([value]).buffer)];
export const f64x2 = {
  const: (value: number): Expression => [0xfd, 12, ...float64(value), ...float64(value)],
  add: vector(240),
  sub: vector(241),
  mul: vector(242),
  lt: vector(73),
  gt: vector(74),
  promoteLow: vector(95),
  demoteZero: vector(94),
};

const bits64 = (value: number): number[] => [...new Uint8Array(new BigInt64Array([BigInt(value)]).buffer)];
export const i64x2 = {
  const: (value: number): Expression => [0xfd, 12, ...bits64(value), ...bits64(value)],
  add: vector(206),
  sub: vector(209),
  shrS: vector(204),
};

const bits = (value: number): number[] => [...new Uint8Array(new Int32Array([value]).buffer)];
export const i32x4 = {
  const: (value: number): Expression => splatBytes(bits(value)),
  lanes: (...values: [number, number, number, number]): Expression => [0xfd, 12, ...values.flatMap(bits)],
  /** The lanes' highest bits, lane 0's the lowest. */
  bitmask: vector(164),
  add: vector(174),
  sub: vector(177),
  shl: vector(171),
  truncSatF32x4: vector(248),
  toF32x4: vector(250),
  extractLane: (lane: number, operand: Operand): Expression => [...code(operand), 0xfd, 27, lane],
};

/** Unsigned bytes and halves widened: the low or the high half of a vector. */
export const widen = {
  low8: vector(137),
  high8: vector(138),
  low16: vector(169),
  high16: vector(170),
};

export const v128 = {
  load: load([0xfd, 0], 4),
  loadSplat32: load([0xfd, 9], 2),
  and: vector(78),
  or: vector(80),
  xor: vector(81),
  /** Picks lanes of 16 / `lanes.length` bytes each, counted through `a` and then `b`. */
  shuffle: (a: Operand, b: Operand, lanes: readonly number[]): Expression => {
    const size = 16 / lanes.length;
    const bytes = lanes.flatMap((lane) => [...Array(size).keys()].map((byte) => size * lane + byte));
    return [...code(a), ...code(b), 0xfd, 13, ...bytes];
  },
};

/** The result of the module's function that was defined as number `index`. */
export const call = (index: number, ...operands: Operand[]): Expression => [
  ...operands.flatMap(code),
  0x10,
  ...unsigned(index),
];

/** The statements of one function. */
export class Body {
  readonly code: number[] = [];
  readonly locals: Type[] = [];
  constructor(private readonly parameters: number) {}

  local(type: Type, initial?: Operand): Local {
    const local = new Local(this.parameters + this.locals.push(type) - 1);
    if (initial !== undefined) this.set(local, initial);
    return local;
  }

  set(local: Local, value: Operand): void {
    this.code.push(...code(value), 0x21, ...unsigned(local.index));
  }

  /** local += value, in i32. */
  advance(local: Local, value: Operand): void {
    this.set(local, i32.add(local, value));
  }

  storeI32(address: Operand, value: Operand, offset = 0): void {
    this.code.push(...code(address), ...code(value), ...access([0x36], 2, 0, offset));
  }

  storeF32(address: Operand, value: Operand, offset = 0): void {
    this.code.push(...code(address), ...code(value), ...access([0x38], 2, 0, offset));
  }

  storeV128(address: Operand, value: Operand, offset = 0): void {
    this.code.push(...code(address), ...code(value), ...access([0xfd, 11], 4, 0, offset));
  }

  /** Stores lane 0 of a vector. */
  storeLane0(address: Operand, value: Operand, offset = 0): void {
    this.code.push(...code(address), ...code(value), ...access([0xfd, 90], 2, 0, offset), 0);
  }

  /** Stores the low or the high half of a vector. */
  storeHalf(half: 0 | 1, address: Operand, value: Operand, offset = 0): void {
    this.code.push(...code(address), ...code(value), ...access([0xfd, 91], 3, 0, offset), half);
  }

  fill(address: Operand, byte: Operand, length: Operand): void {
    this.code.push(...code(address), ...code(byte), ...code(length), 0xfc, 11, 0);
  }

  /** Tests at the bottom, so that a turn has one branch. */
  while(condition: Expression, statements: () => void): void {
    this.code.push(...condition, 0x04, 0x40, 0x03, 0x40);
    statements();
    this.code.push(...condition, 0x0d, 0, 0x0b, 0x0b);
  }

  if(condition: Expression, statements: () => void): void {
    this.code.push(...condition, 0x04, 0x40);
    statements();
    this.code.push(0x0b);
  }

  /** Counts from 0 to `times`. */
  repeat(times: Operand, statements: (turn: Local) => void): void {
    const turn = this.local('i32', 0);
    this.while(i32.ltU(turn, times), () => {
      statements(turn);
      this.advance(turn, 1);
    });
  }

  result(value: Operand): void {
    this.code.push(...code(value));
  }
}

interface Signature {
  parameters: Type[];
  results: Type[];
}

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
const list = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const text = (value: string): number[] => list([...Buffer.from(value)].map((byte) => [byte]));

export class Assembler {
  private readonly functions: { name: string; signature: Signature; body: Body }[] = [];

  /** A function of parameters of one type, in the order given. */
  define<Name extends string>(
    name: string,
    parameters: readonly Name[],
    write: (body: Body, parameter: Record<Name, Local>) => void,
    results: Type[] = [],
    type: Type = 'i32',
  ): void {
    const body = new Body(parameters.length);
    const named = Object.fromEntries(parameters.map((key, index) => [key, new Local(index)])) as Record<Name, Local>;
    write(body, named);
    this.functions.push({ name, signature: { parameters: parameters.map(() => type), results }, body });
  }

  /** The module's bytes. It imports its two memories as `memory.own` and `memory.shared`. */
  assemble(): Uint8Array<ArrayBuffer> {
    const types = this.functions.map(({ signature }) => [
      0x60,
      ...list(signature.parameters.map((type) => [TYPE_CODE[type]])),
      ...list(signature.results.map((type) => [TYPE_CODE[type]])),
    ]);
    const imports = [
      [...text('memory'), ...text('own'), 0x02, 0x00, ...unsigned(0)],
      [...text('memory'), ...text('shared'), 0x02, 0x03, ...unsigned(0), ...unsigned(65536)],
    ];
    const bodies = this.functions.map(({ body }) => {
      const content = [...list(body.locals.map((type) => [1, TYPE_CODE[type]])), ...body.code, 0x0b];
      return [...unsigned(content.length), ...content];
    });
    const indices = this.functions.map((_, index) => unsigned(index));
    const exported = this.functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]);
    return new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, list(types)),
      ...section(2, list(imports)),
      ...section(3, list(indices)),
      ...section(7, list(exported)),
      ...section(10, list(bodies)),
    ]);
  }
}
