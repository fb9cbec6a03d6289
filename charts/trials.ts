/** Trials as a CSV that figures' tables and claims can be made of again: one row a trial, everything that `Row` says. */
import { layerSizes, networkName, weightCount } from '../sweep/networks';
import type { RecipeSpec, TrainingSpec } from '../sweep/spec';
import { fromCsv, toCsv } from './csv';
import type { Row, Study } from './study';

/** Lists are joined by `;`; what is not there is empty. */
const list = (items: readonly (string | number)[] | undefined) => items?.join(';');

export const trialsCsv = (rows: readonly Row[]): string =>
  toCsv(
    rows.map(({ id, network, seed, validation, training, recipe, retraining, ...row }) => ({
      ...{ trial_id: id, network, seed, validation, epochs: training.epochs, batch_size: training.batchSize },
      ...{ optimizer: training.optimizer, learning_rate: training.learningRate, momentum: training.momentum },
      ...{ l1: training.l1, l2: training.l2, linear: list(training.linear) },
      ...{ criterion: recipe.criterion, scope: recipe.scope, recovery: recipe.recovery, schedule: recipe.schedule },
      ...{ keep_dense: list(recipe.keepDense), retraining_epochs: retraining?.epochs },
      ...{ learning_rate_factor: retraining?.learningRateFactor, remaining_weights: row.remainingWeights },
      ...{ path: list(row.path), remaining_by_layer: list(row.remainingByLayer) },
      ...{ threshold_by_layer: list(row.thresholdByLayer), test_correct: row.testCorrect, test_images: row.testImages },
      ...{ validation_correct: row.validationCorrect, validation_images: row.validationImages },
      test_correct_without_relu: list(row.testCorrectWithoutRelu),
      ...{ active_probe: list(row.activeProbe), active_mean: list(row.activeMean), flop_fraction: row.flopFraction },
    })),
  );

/** The study of such a CSV: without records, so without what takes histograms, maps or seconds. */
export function studyOfCsv(text: string, shape: Study['shape']): Study {
  return { shape, rows: fromCsv(text).map((fields) => rowOf(fields, shape)), records: new Map() };
}

function rowOf(fields: Record<string, string | undefined>, shape: Study['shape']): Row {
  const text = (name: string) => fields[name] ?? '';
  const number = (name: string) => Number(text(name));
  const names = (name: string) => (text(name) === '' ? [] : text(name).split(';'));
  const numbers = (name: string) => names(name).map(Number);
  const hiddenWidths = text('network').split('-').map(Number);
  const sizes = layerSizes(hiddenWidths, shape);
  const [linear, keepDense] = [names('linear'), names('keep_dense')];
  return {
    ...{ id: text('trial_id'), network: networkName(hiddenWidths), hiddenWidths, sizes, weights: weightCount(sizes) },
    ...{ seed: number('seed'), validation: number('validation') },
    training: {
      ...{ epochs: number('epochs'), batchSize: number('batch_size') },
      ...{ optimizer: text('optimizer') as TrainingSpec['optimizer'], learningRate: number('learning_rate') },
      ...{ momentum: number('momentum'), l1: number('l1'), l2: number('l2') },
      ...(linear.length === 0 ? {} : { linear }),
    },
    recipe: {
      ...{ criterion: text('criterion') as RecipeSpec['criterion'], scope: text('scope') as RecipeSpec['scope'] },
      ...{ recovery: text('recovery') as RecipeSpec['recovery'], schedule: text('schedule') as RecipeSpec['schedule'] },
      ...(keepDense.length === 0 ? {} : { keepDense }),
    },
    retraining:
      text('retraining_epochs') === ''
        ? null
        : { epochs: number('retraining_epochs'), learningRateFactor: number('learning_rate_factor') },
    ...{ remainingWeights: number('remaining_weights'), path: numbers('path') },
    ...{ remainingByLayer: numbers('remaining_by_layer'), thresholdByLayer: numbers('threshold_by_layer') },
    ...{ testCorrect: number('test_correct'), testImages: number('test_images') },
    ...(text('validation_images') === ''
      ? {}
      : { validationCorrect: number('validation_correct'), validationImages: number('validation_images') }),
    testCorrectWithoutRelu: numbers('test_correct_without_relu'),
    ...{
      activeProbe: numbers('active_probe'),
      activeMean: numbers('active_mean'),
      flopFraction: number('flop_fraction'),
    },
  };
}
