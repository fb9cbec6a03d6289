import { accuracyPercent, groupAt, MASKED, mainRows, ofRecipe, REGROW } from '../study';
import { type Claim, complete, difference } from './claim';

const PLACES = [
  ['300-100', 2657, 96 - 65],
  ['300-200', 2663, undefined],
  ['300-300', 1641, undefined],
] as const;

/** Claim 5. */
export const regrowth: Claim = {
  name: 'zeroed-weights-train',
  source: 'the article',
  statement: 'Letting zeroed weights train again gives far more accuracy at the same count.',
  rule: 'Regrow less masked at least 1 point of accuracy at the same count and the same epochs: 300-100 at 2,657, 300-200 at 2,663, 300-300 at 1,641; paired by seed.',
  of(study) {
    const main = mainRows(study);
    const at = (recipe: string, network: string, count: number) =>
      groupAt(ofRecipe(main, recipe), network, count)?.rows;
    const comparisons = PLACES.flatMap(([network, count, published]) =>
      difference(`${network} at ${count}`, at(REGROW, network, count), at(MASKED, network, count), accuracyPercent, {
        low: 1,
      }).map((comparison) => ({ ...comparison, ...(published === undefined ? {} : { published }) })),
    );
    return complete(
      comparisons,
      PLACES.length,
      'masked and regrow trials of 300-100 at 2,657, 300-200 at 2,663, 300-300 at 1,641',
    );
  },
};
