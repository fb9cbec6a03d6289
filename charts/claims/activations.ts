import { accuracyPercent, groupAt, MASKED, mainRows, ofRecipe } from '../study';
import { type Claim, complete, difference } from './claim';

const COUNT = 2657;
const PAIRS = [
  ['600-100', '300-100', 89 - 65],
  ['1200-100', '600-100', undefined],
  ['300-200', '300-100', undefined],
] as const;

/** Claim 2. */
export const activations: Claim = {
  name: 'more-activations',
  source: 'the article',
  statement: 'At equal counts of weights left, the network with more activations is more accurate.',
  rule: 'Masked, 2,657 weights left: 600-100 above 300-100, 1200-100 above 600-100, 300-200 above 300-100; each difference of accuracy above 0, paired by seed.',
  of(study) {
    const rows = ofRecipe(mainRows(study), MASKED);
    const at = (network: string) => groupAt(rows, network, COUNT)?.rows;
    const comparisons = PAIRS.flatMap(([more, less, published]) =>
      difference(`${more} less ${less}`, at(more), at(less), accuracyPercent, { low: 0 }).map((comparison) => ({
        ...comparison,
        ...(published === undefined ? {} : { published }),
      })),
    );
    return complete(
      comparisons,
      PAIRS.length,
      'masked trials of 300-100, 600-100, 1200-100 and 300-200 at 2,657 weights',
    );
  },
};
