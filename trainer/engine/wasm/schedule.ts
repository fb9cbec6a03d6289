/** The scalars of the optimiser, step after step, where the kernels read them. */
import type { FitSettings } from '../engine';
import type { Arena } from './arena';
import { CONSTANT } from './kernels/memory';
import { FLUSH } from './kernels/optimiser';

/** Of Adam, as in its paper. */
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

export class Schedule {
  /** Whether l1 or l2 is not zero. */
  readonly decay: boolean;
  /** BETA1 and BETA2 to the number of steps, by multiplication: Math.pow may differ between versions of V8. */
  private power1 = 1;
  private power2 = 1;

  /** @param stepsDone before this training goes on */
  constructor(
    private readonly arena: Arena,
    private readonly settings: FitSettings,
    stepsDone: number,
  ) {
    const { optimizer, momentum, learningRate, l1, l2 } = settings;
    this.decay = l1 !== 0 || l2 !== 0;
    arena.splat(CONSTANT.beta1, optimizer === 'adam' ? BETA1 : momentum);
    arena.splat(CONSTANT.oneMinusBeta1, 1 - BETA1);
    arena.splat(CONSTANT.beta2, BETA2);
    arena.splat(CONSTANT.oneMinusBeta2, 1 - BETA2);
    arena.splat(CONSTANT.rate, learningRate);
    arena.splat(CONSTANT.epsilon, EPSILON);
    arena.splat(CONSTANT.flush, FLUSH);
    for (let step = 0; step < stepsDone; step++) this.advance();
  }

  private advance(): void {
    this.power1 *= BETA1;
    this.power2 *= BETA2;
  }

  /** Before each step. @param count images of the batch */
  begin(count: number): void {
    this.arena.splat(CONSTANT.perImage, 1 / count);
    if (this.settings.optimizer !== 'adam') return;
    this.advance();
    this.arena.splat(CONSTANT.rate, this.settings.learningRate / (1 - this.power1));
    this.arena.splat(CONSTANT.correction, 1 / Math.sqrt(1 - this.power2));
  }

  /** Turns l1 and l2 on for weights and off for biases. */
  setDecay(on: boolean): void {
    if (!this.decay) return;
    this.arena.splat(CONSTANT.l1, on ? this.settings.l1 : 0);
    this.arena.splat(CONSTANT.l2, on ? this.settings.l2 : 0);
  }
}
