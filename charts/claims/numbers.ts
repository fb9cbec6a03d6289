import { accuracyPercent, groupAt, MASKED, mainRows, ofRecipe, REGROW } from '../study';
import { type Claim, complete } from './claim';

const WITHIN = 1;

function number(name: string, network: string, count: number, recipe: string, published: number, how: string): Claim {
  const where = `${network} with ${count} weights left, ${how}`;
  return {
    name,
    isOfMnist: true,
    source: 'the article',
    statement: `${where}: ${published} % accuracy.`,
    rule: `Mean accuracy within ${WITHIN} point of ${published} %, recipe ${recipe}.`,
    of(study) {
      const rows = groupAt(ofRecipe(mainRows(study), recipe), network, count)?.rows ?? [];
      const values = rows.map(accuracyPercent);
      const region = { low: published - WITHIN, high: published + WITHIN };
      const comparison = { what: where, unit: '%' as const, values, region, published };
      return complete(values.length === 0 ? [] : [comparison], 1, `${network} at ${count} weights, ${recipe}`);
    },
  };
}

/** The article's accuracies of pruned networks; those of 300-200 and 300-300 had their zeroed weights trained. */
export const numbers: readonly Claim[] = [
  number('300-100-masked', '300-100', 2657, MASKED, 65, 'zeroed weights kept at zero'),
  number('300-100-regrown', '300-100', 2657, REGROW, 96, 'zeroed weights trained'),
  number('600-100-masked', '600-100', 2657, MASKED, 89, 'zeroed weights kept at zero'),
  number('300-200-regrown', '300-200', 2663, REGROW, 96, 'zeroed weights trained'),
  number('300-300-regrown', '300-300', 1641, REGROW, 96, 'zeroed weights trained'),
];
