/** How the weights of one network are distributed, all and layer by layer, in stages of pruning. */
import * as Plot from '@observablehq/plot';
import { decodeCounts } from '../../sweep/counts';
import type { Histogram, TrialRecord } from '../../sweep/record';
import { denseRows, groupAt, hanCount, hanRows, MASKED, mainRows, ofRecipe } from '../study';
import { type Canvas, type Drawn, figure } from './figure';
import { firstSeed, missing, recordOf } from './rows';
import { axis, base, compose, heading, PALETTE, plot, short, whole } from './style';

export interface BinRow {
  /** `all`, `fc1`, ... */
  place: string;
  stage: string;
  bin_low: number;
  bin_high: number;
  /** Surviving weights in the bin. */
  weights: number;
}

interface Stage {
  stage: string;
  record: TrialRecord;
}

function binsOf({ limit, counts }: Histogram, place: string, stage: string): BinRow[] {
  const bins = decodeCounts(counts);
  const edge = (at: number) => (limit === 0 ? 0 : limit * ((2 * at) / bins.length - 1));
  return bins.map((weights, at) => ({ place, stage, bin_low: edge(at), bin_high: edge(at + 1), weights }));
}

const rowsOf = (stages: readonly Stage[], places: readonly string[]): BinRow[] =>
  stages.flatMap(({ stage, record: { histograms } }) =>
    places.flatMap((place) => {
      const histogram = place === 'all' ? histograms.all : histograms.layers[Number(place.slice(2)) - 1];
      return histogram === undefined ? [] : binsOf(histogram, place, stage);
    }),
  );

function draw(rows: readonly BinRow[], canvas: Canvas, title: string, note: string): SVGSVGElement {
  const stages = [...new Set(rows.map(({ stage }) => stage))];
  const places = [...new Set(rows.map(({ place }) => place))];
  const width = canvas.width / stages.length;
  const panels = places.map((place) => {
    const limit = Math.max(...rows.filter((row) => row.place === place).map(({ bin_high }) => bin_high));
    return stages.map((stage, at) => {
      const own = rows.filter((row) => row.place === place && row.stage === stage && row.bin_high > row.bin_low);
      return plot({
        ...base(canvas, width, 130, `${place}, ${stage}`),
        x: axis('weight', { domain: [-limit, limit], ticks: canvas.width < 500 ? 3 : 5 }),
        y: axis(at === 0 ? 'weights a bin' : null, { tickFormat: short, ticks: 4 }),
        marks: [
          Plot.rectY(own, {
            x1: 'bin_low',
            x2: 'bin_high',
            y: 'weights',
            fill: PALETTE[at % PALETTE.length]!,
            inset: 0,
          }),
          Plot.ruleY([0], { stroke: '#999' }),
          heading(`${place}, ${stage}`, width),
        ],
      });
    });
  });
  return compose(canvas, { title, panels, note });
}

const ONE = (seed: number) =>
  `One network (seed ${seed}); 100 equal bins; weights at zero because they were pruned are left out.`;

/** The article's: before and after, of all weights and of each layer. */
export const articleHistograms = figure<BinRow, Drawn<BinRow>>({
  name: 'article-histograms',
  title: 'Weights of 600-100 before and after pruning to 2,657',
  of(study) {
    const main = mainRows(study);
    const after = firstSeed(groupAt(ofRecipe(main, MASKED), '600-100', 2657)?.rows ?? []);
    const before = denseRows(main).find((row) => row.network === '600-100' && row.seed === after?.seed);
    const [first, last] = [recordOf(study, before), recordOf(study, after)];
    if (first === undefined || last === undefined)
      return missing('records of 600-100, dense and at 2,657 weights, masked');
    const stages = [
      { stage: 'dense', record: first },
      { stage: 'pruned', record: last },
    ];
    return { rows: rowsOf(stages, ['all', 'fc1', 'fc2', 'fc3']), note: ONE(last.trial.seed) };
  },
  draw({ rows, note }, canvas) {
    return draw(rows, canvas, this.title, note);
  },
});

/** Han et al.'s Figure 7. */
export const hanHistograms = figure<BinRow, Drawn<BinRow>>({
  name: 'han-figure7',
  title: 'Weights of fc1 before pruning, after pruning, after retraining (Han et al., Figure 7)',
  of(study) {
    const [none, masked] = [hanRows(study, 'l2', 'none', 'oneshot'), hanRows(study, 'l2', 'masked', 'oneshot')];
    const count = hanCount(masked);
    const at = (rows: typeof none) =>
      firstSeed(count === undefined ? [] : (groupAt(rows, '300-100', count)?.rows ?? []));
    const dense = firstSeed(denseRows(masked));
    const stages = [
      { stage: 'dense', record: recordOf(study, dense) },
      { stage: 'pruned', record: recordOf(study, at(none)) },
      { stage: 'retrained', record: recordOf(study, at(masked)) },
    ].filter((stage): stage is Stage => stage.record !== undefined);
    if (stages.length < 3)
      return missing(
        "records of Han's recipe at some 8 %: scope layer, oneshot, with l2, recovery none and masked, and dense",
      );
    return {
      rows: rowsOf(stages, ['fc1']),
      note: `300-100, ${whole(count!)} weights left. ${ONE(stages[0]!.record.trial.seed)}`,
    };
  },
  draw({ rows, note }, canvas) {
    return draw(rows, canvas, this.title, note);
  },
});
