/** Which pixels fc1 still reads: as Han et al.'s bands along the input, and as images. */
import * as Plot from '@observablehq/plot';
import { decodeCounts } from '../../sweep/counts';
import { type Group, groupAt, groupsOf, hanCount, hanRows, MASKED, mainRows, ofRecipe, type Study } from '../study';
import { type Canvas, type Drawn, figure } from './figure';
import { missing } from './rows';
import { axis, base, compose, EDGE, heading, inRows, type LegendEntry, PALETTE, plot, whole } from './style';

export interface PixelRow {
  network: string;
  remaining_weights: number;
  /** Position in the input, row by row. */
  input: number;
  x: number;
  y: number;
  /** Weights that fc1 has left for the pixel, mean over the networks. */
  weights: number;
  n: number;
}

/** @returns none where records have no map, or images are not square */
function pixelsOf({ records }: Study, { network, remainingWeights, rows }: Group): PixelRow[] {
  const maps = rows.flatMap(({ id }) => {
    const text = records.get(id)?.survivorsByInput;
    return text === undefined ? [] : [decodeCounts(text)];
  });
  const side = Math.sqrt(maps[0]?.length ?? 0);
  if (side === 0 || !Number.isInteger(side)) return [];
  return maps[0]!.map((_, input) => ({
    ...{ network, remaining_weights: remainingWeights, input, x: input % side, y: Math.floor(input / side) },
    ...{ weights: maps.reduce((sum, map) => sum + map[input]!, 0) / maps.length, n: maps.length },
  }));
}

/** From nothing, white, to much, dark: the same for every reader, and in grey. */
const RAMP = ['#ffffff', '#cfe1f2', '#93c3df', '#4b97c9', '#1764ab', '#08306b'];

function ramp(most: number) {
  const steps = RAMP.map((_, at) => (most * at) / (RAMP.length - 1));
  return {
    color: { type: 'linear' as const, domain: steps, range: RAMP, clamp: true },
    legend: steps.map(
      (step, at): LegendEntry => ({
        label: step >= 10 ? step.toFixed(0) : step.toFixed(1),
        color: RAMP[at]!,
        kind: 'area',
      }),
    ),
  };
}

function image(own: readonly PixelRow[], canvas: Canvas, side: number, title: string, color: object) {
  const pixels = Math.sqrt(own.length);
  return plot({
    // Square within its margins.
    ...base(canvas, side, side + 18),
    ...{ marginLeft: EDGE, marginRight: EDGE, marginTop: 24, marginBottom: EDGE },
    x: { axis: null, domain: [0, pixels] },
    y: { axis: null, domain: [pixels, 0] },
    color,
    marks: [
      Plot.rect(own as PixelRow[], {
        ...{ x1: 'x', x2: (row: PixelRow) => row.x + 1, y1: 'y', y2: (row: PixelRow) => row.y + 1, fill: 'weights' },
      }),
      Plot.frame({ stroke: '#999' }),
      heading(title, side, {}, EDGE),
    ],
  });
}

/** The article's "depth map" of fc1. */
export const articleMaps = figure<PixelRow, Drawn<PixelRow>>({
  name: 'article-maps',
  title: 'Weights left in fc1 for each pixel, of the image as it is seen',
  of(study) {
    const own = ofRecipe(mainRows(study), MASKED).filter(({ remainingWeights }) => remainingWeights === 2657);
    const rows = groupsOf(own).flatMap((group) => pixelsOf(study, group));
    return rows.length === 0
      ? missing('masked trials at 2,657 weights, recorded with maps (since version 2), of square images')
      : {
          rows,
          note: `2,657 weights left of each network, masked; mean of ${rows[0]!.n} seeds. Above: weights a pixel.`,
        };
  },
  draw({ rows, note }, canvas) {
    const names = [...new Set(rows.map(({ network }) => network))];
    const columns = canvas.width < 500 ? 3 : 5;
    const { color, legend } = ramp(Math.max(...rows.map(({ weights }) => weights)));
    const panels = names.map((name) =>
      image(
        rows.filter(({ network }) => network === name),
        canvas,
        canvas.width / columns,
        name,
        color,
      ),
    );
    return compose(canvas, { title: this.title, legend, panels: inRows(panels, columns), note });
  },
});

/** Han et al.'s Figure 4: fc1 has bands, one an image row. */
export const hanMap = figure<PixelRow, Drawn<PixelRow>>({
  name: 'han-figure4',
  title: 'Weights left in fc1 along the input, a band for each row of the image (Han et al., Figure 4)',
  of(study) {
    const own = hanRows(study, 'l2', 'masked', 'iterative');
    const count = hanCount(own);
    const group = count === undefined ? undefined : groupAt(own, '300-100', count);
    const rows = group === undefined ? [] : pixelsOf(study, group);
    return rows.length === 0
      ? missing(
          "records with maps of Han's recipe at some 8 %, of square images: 300-100, scope layer, masked, iterative, with l2",
        )
      : {
          rows,
          note: `300-100, ${whole(count!)} weights left, threshold per layer; mean of ${group!.n} seeds. Lines: rows of the image.`,
        };
  },
  draw({ rows, note }, canvas) {
    const side = Math.sqrt(rows.length);
    const isNarrow = canvas.width < 500;
    const square = isNarrow ? canvas.width * 0.7 : 230;
    const { color, legend } = ramp(Math.max(...rows.map(({ weights }) => weights)));
    const bands = plot({
      ...base(canvas, isNarrow ? canvas.width : canvas.width - square, isNarrow ? 170 : square),
      x: axis('input, pixels row by row', { domain: [0, rows.length] }),
      y: axis('weights left, of 300'),
      marks: [
        Plot.ruleX(
          [...Array(side).keys()].map((band) => band * side),
          { stroke: '#ddd' },
        ),
        Plot.areaY(rows as PixelRow[], { x: 'input', y: 'weights', fill: PALETTE[0], curve: 'step' }),
        Plot.frame({ stroke: '#999' }),
        heading('by position', isNarrow ? canvas.width : canvas.width - square),
      ],
    });
    const map = image(rows, canvas, square, 'as an image', color);
    return compose(canvas, { title: this.title, legend, panels: isNarrow ? [[bands], [map]] : [[bands, map]], note });
  },
});
