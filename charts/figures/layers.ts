/** Weights left in each layer at the article's counts, ours beside what it reports. */
import * as Plot from '@observablehq/plot';
import { ARTICLE } from '../published';
import { groupAt, isMnist, MASKED, mainRows, ofRecipe, REGROW } from '../study';
import { type Drawn, figure } from './figure';
import { type Interval, intervalOf, missing } from './rows';
import { axis, base, coloured, compose, grid, heading, inRows, PALETTE, plot, whole } from './style';
import { seedsNote } from './tradeoff';

export interface LayerRow extends Interval {
  network: string;
  remaining_weights: number;
  layer: string;
  source: string;
  weights: number;
}

const OURS = [
  { source: 'masked', recipe: MASKED },
  { source: 'regrow', recipe: REGROW },
];
const THE_ARTICLE = 'the article';

export const layers = figure<LayerRow, Drawn<LayerRow>>({
  name: 'article-layers',
  title: "Weights left in each layer at the article's counts",
  of(study) {
    const main = mainRows(study);
    const rows = ARTICLE.flatMap(({ network, pruned }) => {
      if (pruned === undefined) return [];
      const { remainingWeights, byLayer } = pruned;
      const place = { network, remaining_weights: remainingWeights };
      const measured = OURS.flatMap(({ source, recipe }) =>
        ['fc1', 'fc2', 'fc3'].flatMap((layer, l): LayerRow[] => {
          const group = groupAt(ofRecipe(main, recipe), network, remainingWeights, (row) => row.remainingByLayer[l]!);
          return group === undefined ? [] : [{ ...place, layer, source, weights: group.mean, ...intervalOf(group) }];
        }),
      );
      if (measured.length === 0) return [];
      const reported = ((isMnist(study) ? byLayer : undefined) ?? []).map(
        (weights, l): LayerRow => ({
          ...{ ...place, layer: `fc${l + 1}`, source: THE_ARTICLE, weights, low: undefined, high: undefined, n: 1 },
        }),
      );
      return [...measured, ...reported];
    });
    if (rows.length === 0)
      return missing(
        'masked or regrow trials of 300-100, 600-100, 300-200 or 300-300 at 2,657, 2,663 or 1,641 weights',
      );
    const ours = rows.filter(({ source }) => source !== THE_ARTICLE);
    const beside = isMnist(study) ? ' The article: one run; it gives no counts of 300-100.' : '';
    return { rows, note: `${seedsNote(ours, 'line')}${beside}` };
  },
  draw({ rows, note }, canvas) {
    const places = [
      ...new Set(rows.map(({ network, remaining_weights }) => `${network} at ${whole(remaining_weights)}`)),
    ];
    const { columns, width, height } = grid(canvas, places.length, 2, 0.55);
    const sources = [...OURS.map(({ source }) => source), THE_ARTICLE].filter((source) =>
      rows.some((row) => row.source === source),
    );
    const { color } = coloured(sources);
    const most = Math.max(...rows.map(({ weights, high }) => high ?? weights));
    const panels = places.map((place) => {
      const own = rows.filter(
        ({ network, remaining_weights }) => `${network} at ${whole(remaining_weights)}` === place,
      );
      return plot({
        ...base(canvas, width, height, `${place} weights`),
        fx: { domain: ['fc1', 'fc2', 'fc3'], label: null, padding: 0.15, axis: 'bottom' },
        x: { domain: sources, axis: null, padding: 0.1 },
        y: axis('weights left', { domain: [0, most], nice: true }),
        color,
        marks: [
          Plot.gridY({ stroke: '#ddd', strokeOpacity: 1 }),
          Plot.barY(own, { fx: 'layer', x: 'source', y: 'weights', fill: 'source' }),
          Plot.ruleX(own, { fx: 'layer', x: 'source', y1: 'low', y2: 'high', stroke: '#222' }),
          Plot.ruleY([0]),
          heading(`${place} weights`, width, { fx: () => 'fc1' }),
        ],
      });
    });
    const legend = sources.map((label, at) => ({ label, color: PALETTE[at]!, kind: 'area' as const }));
    return compose(canvas, { title: this.title, legend, panels: inRows(panels, columns), note });
  },
});
