import { denseRows, groupAt, mainRows } from '../study';
import { type Claim, type Comparison, complete, difference } from './claim';

const NETWORKS = ['150-100', '300-100', '600-100', '1200-100'];
const PUBLISHED: Record<string, number> = { '150-100': 52, '600-100': 50.5, '1200-100': 51.9 };

/** Claim 1. */
export const half: Claim = {
  name: 'half-of-relus',
  source: 'the article',
  statement: 'About half of the hidden ReLUs fire whatever the width.',
  rule: 'Units of fc1 above zero on the probe, dense: 40 to 60 % in each of 150-100, 300-100, 600-100 and 1200-100, and those of 1200-100 within 10 points of those of 150-100.',
  of(study) {
    const dense = denseRows(mainRows(study));
    const share = ({ activeProbe, hiddenWidths }: (typeof dense)[number]) => (100 * activeProbe[0]!) / hiddenWidths[0]!;
    const of = (network: string) => {
      const first = dense.find((row) => row.network === network);
      return first && groupAt(dense, network, first.weights)?.rows;
    };
    const shares = NETWORKS.flatMap((network): Comparison[] => {
      const rows = of(network);
      if (rows === undefined) return [];
      const published = PUBLISHED[network];
      const values = rows.map(share);
      return [
        {
          ...{ what: `${network}: active units of fc1`, unit: '%', values, region: { low: 40, high: 60 } },
          ...(published === undefined ? {} : { published }),
        },
      ];
    });
    const widths = difference('1200-100 less 150-100', of('1200-100'), of('150-100'), share, { low: -10, high: 10 });
    return complete([...shares, ...widths], 5, `dense trials of ${NETWORKS.join(', ')}`);
  },
};
