import { groupAt, MASKED, mainRows, ofRecipe, type Row } from '../study';
import { type Claim, complete, difference } from './claim';

const COUNT = 2663;
/** Of 2,663: 1,102 in fc1 of 300-200, 652 of 2,657 in fc1 of 600-100, which the article compares it with. */
const fc1Share = ({ remainingByLayer, remainingWeights }: Row) => (100 * remainingByLayer[0]!) / remainingWeights;

/** Claim 3. */
export const secondLayer: Claim = {
  name: 'wider-fc2',
  source: 'the article',
  statement: 'A wider fc2 moves kept weights from fc2 to fc1.',
  rule: "Masked, 2,663 weights left: fc1's share of them is larger in 300-200 than in 300-100, and in 300-300 than in 300-200; each difference above 0, paired by seed.",
  of(study) {
    const rows = ofRecipe(mainRows(study), MASKED);
    const at = (network: string) => groupAt(rows, network, COUNT)?.rows;
    const comparisons = [
      ...difference('300-200 less 300-100', at('300-200'), at('300-100'), fc1Share, { low: 0 }),
      ...difference('300-300 less 300-200', at('300-300'), at('300-200'), fc1Share, { low: 0 }),
    ];
    return complete(comparisons, 2, 'masked trials of 300-100, 300-200 and 300-300 at 2,663 weights');
  },
};
