import {
  accuracyPercent,
  denseRows,
  groupAt,
  isDense,
  mainRows,
  ofRecipe,
  REGROW,
  type Row,
  type Study,
} from '../study';
import { type Claim, type Comparison, complete, difference } from './claim';

const MAY_LOSE = 1;
const MUST_LOSE = 10;

const lost = (layer: number) => (row: Row) =>
  accuracyPercent(row) - (100 * row.testCorrectWithoutRelu[layer]!) / row.testImages;

const drops = (
  what: string,
  rows: readonly Row[] | undefined,
  layer: number,
  region: Comparison['region'],
): Comparison[] => (rows === undefined ? [] : [{ what, unit: 'points', values: rows.map(lost(layer)), region }]);

/** The article's networks where it saw it: dense 300-200, and 300-200 and 300-300 as pruned. */
function trained(study: Study, layer: number, region: Comparison['region']): Comparison[] {
  const main = mainRows(study);
  const dense = denseRows(main);
  const whole = dense.find(({ network }) => network === '300-200');
  const regrown = ofRecipe(main, REGROW);
  const name = `ReLU of fc${layer + 1} removed`;
  return [
    ...drops(`300-200 dense, ${name}`, whole && groupAt(dense, '300-200', whole.weights)?.rows, layer, region),
    ...drops(`300-200 at 2663, ${name}`, groupAt(regrown, '300-200', 2663)?.rows, layer, region),
    ...drops(`300-300 at 1641, ${name}`, groupAt(regrown, '300-300', 1641)?.rows, layer, region),
  ];
}

function neverThere(study: Study, layer: string, region: Comparison['region']): Comparison[] {
  const linear = study.rows.filter(
    (row) => isDense(row) && row.network === '300-100' && row.training.linear?.join() === layer,
  );
  const dense = denseRows(mainRows(study)).filter(({ network }) => network === '300-100');
  return difference(
    `300-100 trained with its ReLU of ${layer}, less without`,
    dense,
    denseRows(linear),
    accuracyPercent,
    region,
  );
}

const NEEDED = '300-200 dense and at 2,663, 300-300 at 1,641 (regrow), and 300-100 trained with linear: ';

/** Claim 4, its first half. */
export const lastRelu: Claim = {
  name: 'last-relu',
  source: 'the article',
  statement: 'The last hidden ReLU can go.',
  rule: `Accuracy lost without the ReLU of fc2 is at most ${MAY_LOSE} point: removed from trained networks (300-200 dense and at 2,663 regrown, 300-300 at 1,641 regrown), and between 300-100 trained with and without it.`,
  of: (study) =>
    complete(
      [...trained(study, 1, { high: MAY_LOSE }), ...neverThere(study, 'fc2', { high: MAY_LOSE })],
      4,
      `${NEEDED}[fc2]`,
    ),
};

/** Claim 4, its second half. */
export const firstRelu: Claim = {
  name: 'first-relu',
  source: 'the article',
  statement: 'The first hidden ReLU cannot go.',
  rule: `Accuracy lost without the ReLU of fc1 is at least ${MUST_LOSE} points when it is removed from trained networks (the same three), and at least ${MAY_LOSE} point between 300-100 trained with and without it.`,
  of: (study) =>
    complete(
      [...trained(study, 0, { low: MUST_LOSE }), ...neverThere(study, 'fc1', { low: MAY_LOSE })],
      4,
      `${NEEDED}[fc1]`,
    ),
};
