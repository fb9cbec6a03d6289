import { groupAt, layerPercent, MASKED, mainRows, ofRecipe } from '../study';
import { type Claim, complete } from './claim';

const COUNT = 2657;
const NETWORKS = ['300-100', '600-100', '300-200'];

/** Claim 6. */
export const shallow: Claim = {
  name: 'shallow-layers-stripped',
  source: 'the article',
  statement: 'A global percentage strips the shallow layers.',
  rule: 'Masked, one threshold for all layers, 2,657 weights left of 300-100, 600-100 and 300-200: fc2 keeps a larger share of its weights than fc1, and fc3 than fc2; each difference above 0, in the same network.',
  of(study) {
    const rows = ofRecipe(mainRows(study), MASKED);
    const comparisons = NETWORKS.flatMap((network) => {
      const own = groupAt(rows, network, COUNT)?.rows;
      if (own === undefined) return [];
      const deeper = (layer: number) => ({
        what: `${network}: share left of fc${layer + 1} less that of fc${layer}`,
        unit: 'points' as const,
        values: own.map((row) => layerPercent(row, layer) - layerPercent(row, layer - 1)),
        region: { low: 0 },
      });
      return [deeper(1), deeper(2)];
    });
    return complete(comparisons, 2 * NETWORKS.length, 'masked trials of 300-100, 600-100 and 300-200 at 2,657 weights');
  },
};
