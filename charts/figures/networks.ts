/** The article's dense networks: accuracy, and the share of hidden units that its "6" activates, ours beside its own. */
import * as Plot from '@observablehq/plot';
import { ARTICLE } from '../published';
import { accuracyPercent, denseRows, groupsOf, isMnist, mainRows, type Row } from '../study';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { axis, base, compose, GREY, grid, heading, inRows, intervals, PALETTE, plot } from './style';
import { seedsNote } from './tradeoff';

export interface NetworkRow extends Interval {
  network: string;
  quantity: string;
  percent: number;
  article_percent: number | undefined;
}

const ACCURACY = 'test accuracy (%)';
const active = (layer: string) => `active units of ${layer} (%)`;

export const networks = figure<NetworkRow, Drawn<NetworkRow>>({
  name: 'article-networks',
  title: 'Dense networks: accuracy, and hidden units above zero on the probe image',
  of(study) {
    const dense = denseRows(mainRows(study)).filter(({ hiddenWidths }) => hiddenWidths.length === 2);
    if (dense.length === 0) return missing('dense networks (pruneRatios: [0, ...])');
    const quantity = (name: string, value: (row: Row) => number, article: (network: string) => number | undefined) =>
      groupsOf(dense, value).map(
        ({ network, mean, ...summary }): NetworkRow => ({
          ...{ network, quantity: name, percent: mean, article_percent: article(network) },
          ...intervalOf(summary),
        }),
      );
    const published = (name: string) => (isMnist(study) ? ARTICLE : []).find(({ network }) => network === name);
    const layers = ['fc1', 'fc2'].flatMap((layer, l) =>
      quantity(
        active(layer),
        ({ activeProbe, hiddenWidths }) => (100 * activeProbe[l]!) / hiddenWidths[l]!,
        (name) => {
          const units = published(name)?.active?.[l];
          return units === undefined ? undefined : (100 * units) / Number(name.split('-')[l]);
        },
      ),
    );
    const rows = [...quantity(ACCURACY, accuracyPercent, (name) => published(name)?.denseAccuracyPercent), ...layers];
    const beside = isMnist(study) ? ' Crosses: the article, one run. The probe: a "6".' : '';
    return { rows, note: `${seedsNote(rows, 'bar')} Dashed: half of the units.${beside}` };
  },
  draw({ rows, note }, canvas) {
    const quantities = [...new Set(rows.map(({ quantity }) => quantity))];
    const { columns, width, height } = grid(canvas, 3, 3);
    const domain = [...new Set(rows.map(({ network }) => network))];
    const panels = quantities.map((quantity) => {
      const own = rows.filter((row) => row.quantity === quantity);
      return plot({
        ...base(canvas, width, height),
        marginBottom: 44,
        x: { type: 'point', domain, label: null, tickRotate: -40 },
        y: axis(quantity, quantity === ACCURACY ? { nice: true } : { domain: [0, 100], clamp: true }),
        symbol: { domain: domain, range: domain.map(() => 'circle') },
        color: { domain, range: domain.map(() => PALETTE[0]) },
        marks: [
          Plot.gridY({ stroke: '#ddd', strokeOpacity: 1 }),
          ...(quantity === ACCURACY ? [] : [Plot.ruleY([50], { stroke: GREY, strokeDasharray: '4 3' })]),
          ...intervals(own, { x: 'network', y: 'percent', low: 'low', high: 'high', by: 'network' }),
          Plot.dot(own, { x: 'network', y: 'article_percent', stroke: PALETTE[1], symbol: 'times', r: 3.5 }),
          heading(quantity.split(' (')[0]!, width),
          Plot.frame({ stroke: '#999' }),
        ],
      });
    });
    const legend = [
      { label: 'ours', color: PALETTE[0]!, kind: 'dot' as const },
      ...(rows.some(({ article_percent }) => article_percent !== undefined)
        ? [{ label: 'the article', color: PALETTE[1]!, kind: 'dot' as const, symbol: 'times' as const }]
        : []),
    ];
    return compose(canvas, { title: this.title, legend, panels: inRows(panels, columns), note });
  },
});
