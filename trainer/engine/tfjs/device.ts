/**
 * TensorFlow's operations by name, each as a function of tensors. They are called through the binding and not through tfjs,
 * which has no optimiser that updates in place, no fused gradient of the cross-entropy, and a tape that costs as much as
 * the operations (an epoch of 300-100: 3.8 s with variableGrads, 1.4 s so, on the same two cores).
 */
import type { Binding, OperationAttribute, TensorId } from './binding';

/** A tensor that is updated in place. */
export type Variable = TensorId & { readonly variable: true };

let variables = 0;

export class Device {
  readonly isGpu: boolean;
  private readonly f32: number;
  private readonly attributes: ReturnType<typeof attributesOf>;
  private readonly constants = new Map<string, TensorId>();
  /** Tensors of the scopes that are open, innermost last. */
  private readonly scopes: Set<TensorId>[] = [];

  constructor(private readonly binding: Binding) {
    this.isGpu = binding.isUsingGpuDevice();
    this.f32 = binding.TF_FLOAT;
    this.attributes = attributesOf(binding);
  }

  /** Live tensors, those of tfjs itself included. */
  get tensors(): number {
    return this.binding.getNumOfTensors();
  }

  /** What `work` makes is gone at its end, but for what it returns. */
  scope(work: () => TensorId[]): TensorId[] {
    this.scopes.push(new Set());
    let kept: TensorId[] = [];
    try {
      kept = work();
    } finally {
      const made = this.scopes.pop()!;
      for (const tensor of kept) if (made.delete(tensor)) this.scopes.at(-1)?.add(tensor);
      for (const tensor of made) this.binding.deleteTensor(tensor);
    }
    return kept;
  }

  release(...tensors: TensorId[]): void {
    for (const tensor of tensors) {
      this.scopes.at(-1)?.delete(tensor);
      this.binding.deleteTensor(tensor);
    }
  }

  /** @param values not to be changed afterwards: they are used where they are */
  floats(shape: readonly number[], values: Float32Array): TensorId {
    return this.made(this.binding.createTensor(shape, this.f32, values));
  }

  /** Integers from 0 to 2^31 - 1, as int64: int32 would stay in the memory of the processor. */
  integers(shape: readonly number[], values: ArrayLike<number>): TensorId {
    const pairs = new Int32Array(2 * values.length);
    for (let i = 0; i < values.length; i++) pairs[2 * i] = values[i]!;
    return this.made(this.binding.createTensor(shape, this.binding.TF_INT64, pairs));
  }

  /** A number; lives as long as the device. */
  constant(value: number): TensorId {
    return this.lasting(`f${value}`, () => this.binding.createTensor([], this.f32, Float32Array.of(value)));
  }

  /** A shape or some axes; live as long as the device. */
  private dimensions(values: readonly number[]): TensorId {
    return this.lasting(`i${values}`, () =>
      this.binding.createTensor([values.length], this.binding.TF_INT32, Int32Array.from(values)),
    );
  }

  private axis(value: number): TensorId {
    return this.lasting(`a${value}`, () => this.binding.createTensor([], this.binding.TF_INT32, Int32Array.of(value)));
  }

  private lasting(key: string, make: () => TensorId): TensorId {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.constants.set(key, made);
    return made;
  }

  /** Waits for the device. */
  read(tensor: TensorId): Float32Array {
    return this.binding.tensorDataSync(tensor) as Float32Array;
  }

  private made(tensor: TensorId): TensorId {
    this.scopes.at(-1)?.add(tensor);
    return tensor;
  }

  private run(name: string, attributes: readonly OperationAttribute[], ...inputs: TensorId[]): TensorId {
    return this.made(this.binding.executeOp(name, attributes, inputs, 1)[0]!.id);
  }

  /** @returns a + b, with broadcasting */
  add = (a: TensorId, b: TensorId) => this.run('AddV2', this.attributes.float, a, b);
  multiply = (a: TensorId, b: TensorId) => this.run('Mul', this.attributes.float, a, b);
  sign = (a: TensorId) => this.run('Sign', this.attributes.float, a);
  relu = (a: TensorId) => this.run('Relu', this.attributes.float, a);
  /** @returns `gradient` where `activation` is above zero, else 0 */
  reluGradient = (gradient: TensorId, activation: TensorId) =>
    this.run('ReluGrad', this.attributes.float, gradient, activation);
  reshape = (a: TensorId, shape: readonly number[]) =>
    this.run('Reshape', this.attributes.reshape, a, this.dimensions(shape));
  reshapeIntegers = (a: TensorId, shape: readonly number[]) =>
    this.run('Reshape', this.attributes.reshapeIntegers, a, this.dimensions(shape));
  sum = (a: TensorId, axes: readonly number[], keep = false) =>
    this.run('Sum', keep ? this.attributes.sumKeeping : this.attributes.sum, a, this.dimensions(axes));
  /** 1 where it is above zero, else 0. */
  isPositive = (a: TensorId) =>
    this.run('Cast', this.attributes.fromBool, this.run('Greater', this.attributes.float, a, this.constant(0)));

  /** [..., a, b] x [..., b, c], with broadcasting; a side that is transposed is [..., b, a] or [..., c, b]. */
  product(a: TensorId, b: TensorId, transposed?: 'a' | 'b'): TensorId {
    return this.run('BatchMatMulV2', this.attributes.product[transposed ?? 'none'], a, b);
  }

  /** Rows of `from`, [n, ...], at the integers of `at`, [...]. */
  rows = (from: TensorId, at: TensorId) => this.run('GatherV2', this.attributes.rows, from, at, this.axis(0));
  integersAt = (from: TensorId, at: TensorId) =>
    this.run('GatherV2', this.attributes.integersAt, from, at, this.axis(0));

  /** Along the first axis. */
  concatenate = (tensors: readonly TensorId[]) => this.joined(tensors, this.attributes.float[0]!);
  concatenateIntegers = (tensors: readonly TensorId[]) => this.joined(tensors, this.attributes.integer);

  /** Integers, [n], so many times one after another. */
  repeat = (integers: TensorId, times: number) => this.concatenateIntegers(Array(times).fill(integers));

  private joined(tensors: readonly TensorId[], type: OperationAttribute): TensorId {
    if (tensors.length === 1) return tensors[0]!;
    const count = { name: 'N', type: this.binding.TF_ATTR_INT, value: tensors.length };
    return this.run('ConcatV2', [count, type, this.attributes.axisType], ...tensors, this.axis(0));
  }

  /** The tensors along the first axis, of which there are `count`. */
  unstack(a: TensorId, count: number, type: 'floats' | 'integers'): TensorId[] {
    const attributes = [
      { name: 'num', type: this.binding.TF_ATTR_INT, value: count },
      { name: 'axis', type: this.binding.TF_ATTR_INT, value: 0 },
      type === 'floats' ? this.attributes.float[0]! : this.attributes.integer,
    ];
    return this.binding.executeOp('Unpack', attributes, [a], count).map(({ id }) => this.made(id));
  }

  /**
   * @param logits [n, classes]
   * @param labels integers, [n]
   * @returns the cross-entropies of the softmax, [n], and their gradients by the logits, [n, classes]
   */
  crossEntropy(logits: TensorId, labels: TensorId): { losses: TensorId; gradient: TensorId } {
    const [losses, gradient] = this.binding.executeOp(
      'SparseSoftmaxCrossEntropyWithLogits',
      this.attributes.crossEntropy,
      [logits, labels],
      2,
    );
    return { losses: this.made(losses!.id), gradient: this.made(gradient!.id) };
  }

  /** @returns 1 where the largest logit is the label's, else 0, [n] */
  isCorrect(logits: TensorId, labels: TensorId): TensorId {
    const best = this.run('ArgMax', this.attributes.argMax, logits, this.axis(1));
    return this.run('Cast', this.attributes.fromBool, this.run('Equal', [this.attributes.integer], best, labels));
  }

  /** It lives until it is freed, whatever the scope. */
  variable(shape: readonly number[], values: Float32Array): Variable {
    const { binding } = this;
    const name = { name: 'shared_name', type: binding.TF_ATTR_STRING, value: `prunesweep-${variables++}` };
    const attributes = [
      ...this.attributes.variable,
      { name: 'shape', type: binding.TF_ATTR_SHAPE, value: shape },
      name,
    ];
    const handle = binding.executeOp('VarHandleOp', attributes, [], 1)[0]!.id;
    // A copy: updates are in place, and a tensor may use the array that it was made from.
    const start = binding.createTensor(shape, this.f32, values.slice());
    binding.executeOp('AssignVariableOp', this.attributes.variable, [handle, start], 0);
    binding.deleteTensor(start);
    return handle as Variable;
  }

  /** Not a copy: an update copies the variable while its value is held. */
  valueOf = (variable: Variable) => this.run('ReadVariableOp', this.attributes.variable, variable);

  free(variable: Variable): void {
    this.binding.executeOp('DestroyResourceOp', this.attributes.destroy, [variable], 0);
    this.binding.deleteTensor(variable);
  }

  /** Kingma and Ba 2015: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate m / (sqrt(v) + epsilon). */
  applyAdam(
    [w, m, v]: readonly [Variable, Variable, Variable],
    gradient: TensorId,
    settings: { beta1: TensorId; beta2: TensorId; rate: TensorId; epsilon: TensorId },
  ): void {
    const { beta1, beta2, rate, epsilon } = settings;
    // With powers of 0 it corrects nothing itself: in float32, 1 - 0.999 is off by 5e-5.
    const none = this.constant(0);
    const inputs = [w, m, v, none, none, rate, beta1, beta2, epsilon, gradient];
    this.binding.executeOp('ResourceApplyAdam', this.attributes.update, inputs, 0);
  }

  /** m = momentum m + g; w -= rate m. */
  applyMomentum([w, m]: readonly Variable[], gradient: TensorId, rate: TensorId, momentum: TensorId): void {
    this.binding.executeOp('ResourceApplyMomentum', this.attributes.update, [w!, m!, rate, gradient, momentum], 0);
  }
}

/** Made once: they are passed with every operation. */
function attributesOf(binding: Binding) {
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const flag = (name: string, value: boolean) => ({ name, type: binding.TF_ATTR_BOOL, value });
  const { TF_FLOAT: f32, TF_INT32: i32, TF_INT64: i64 } = binding;
  const product = (a: boolean, b: boolean) => [type('T', f32), flag('adj_x', a), flag('adj_y', b)];
  const rows = (params: number) => [
    ...[type('Tparams', params), type('Tindices', i64), type('Taxis', i32)],
    { name: 'batch_dims', type: binding.TF_ATTR_INT, value: 0 },
  ];
  const sum = (keep: boolean) => [flag('keep_dims', keep), type('T', f32), type('Tidx', i32)];
  return {
    float: [type('T', f32)],
    integer: type('T', i64),
    reshape: [type('T', f32), type('Tshape', i32)],
    reshapeIntegers: [type('T', i64), type('Tshape', i32)],
    sum: sum(false),
    sumKeeping: sum(true),
    fromBool: [type('SrcT', BOOL), type('DstT', f32), flag('Truncate', false)],
    product: { none: product(false, false), a: product(true, false), b: product(false, true) },
    rows: rows(f32),
    integersAt: rows(i64),
    crossEntropy: [type('T', f32), type('Tlabels', i64)],
    axisType: type('Tidx', i32),
    argMax: [type('T', f32), type('Tidx', i32), type('output_type', i64)],
    variable: [type('dtype', f32)],
    destroy: [flag('ignore_lookup_error', true)],
    update: [type('T', f32), flag('use_locking', false), flag('use_nesterov', false)],
  };
}

/** TF_BOOL of TensorFlow's C API. */
const BOOL = 10;
