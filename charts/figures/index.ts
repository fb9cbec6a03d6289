/** All figures, in the order in which they are made and listed. */
import { article } from './article';
import { cost } from './cost';
import type { AnyFigure } from './figure';
import { table1, table2 } from './han';
import { figure5, figure6 } from './hancurves';
import { articleHistograms, hanHistograms } from './histograms';
import { layers } from './layers';
import { articleMaps, hanMap } from './maps';
import { networks } from './networks';
import { regrow } from './regrow';
import { relu } from './relu';
import { retraining } from './retraining';
import { tradeoff } from './tradeoff';
import { budget, widths } from './widths';

export const FIGURES: readonly AnyFigure[] = [
  ...[table1, table2, hanMap, figure5, figure6, hanHistograms],
  ...[networks, articleMaps, articleHistograms, layers, relu, article],
  ...[tradeoff, regrow, widths, budget, cost, retraining],
];
