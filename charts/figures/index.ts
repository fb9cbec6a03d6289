/** All figures, in the order in which they are made and listed. */
import type { AnyFigure } from './figure';
import { tradeoff } from './tradeoff';

export const FIGURES: readonly AnyFigure[] = [tradeoff];
