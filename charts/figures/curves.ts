/** Figures of curves with bands: one panel a heading, one line a name. */
import * as Plot from '@observablehq/plot';
import type { Canvas } from './figure';
import type { Interval } from './rows';
import {
  axis,
  bandedLines,
  base,
  coloured,
  compose,
  GREY,
  grid,
  heading,
  inRows,
  legendOf,
  logAxis,
  plot,
  short,
} from './style';

export interface CurveRow extends Interval {
  panel: string;
  line: string;
  x: number;
  y: number;
}

export interface Curves {
  title: string;
  note: string;
  x: string;
  y: string | ((panel: string) => string);
  xIsLog?: boolean;
  yOptions?: Plot.ScaleOptions | ((panel: string) => Plot.ScaleOptions);
  xFormat?: (value: number) => string;
  /** At most so many panels beside each other. */
  most?: number;
  /** Horizontal lines, dashed. */
  marks?: readonly number[];
  /** Without ticks of their own, values that there are. */
  xTicks?: number[];
}

export function drawCurves(rows: readonly CurveRow[], canvas: Canvas, options: Curves): SVGSVGElement {
  const {
    title,
    note,
    xIsLog = false,
    y,
    yOptions = { nice: true },
    xFormat = short,
    most = 3,
    marks = [],
    xTicks,
  } = options;
  const headings = [...new Set(rows.map(({ panel }) => panel))];
  const lines = [...new Set(rows.map(({ line }) => line))];
  const scales = coloured(lines);
  const { columns, width, height } = grid(canvas, headings.length, most, headings.length === 1 ? 0.5 : 0.75);
  const xs = rows.map(({ x }) => x);
  const scale = {
    domain: [Math.min(...xs), Math.max(...xs)],
    tickFormat: xFormat,
    ...(xTicks ? { axis: null } : { ticks: 4 }),
  };
  // What all panels of a row have in common is said once.
  const yLabel = (at: number, name: string) => (typeof y === 'function' ? y(name) : at % columns === 0 ? y : null);
  const panels = headings.map((name, at) =>
    plot({
      ...base(canvas, width, height, name),
      x: xIsLog ? logAxis(options.x, scale) : axis(options.x, scale),
      y: axis(yLabel(at, name), typeof yOptions === 'function' ? yOptions(name) : yOptions),
      ...scales,
      marks: [
        // As a mark: the axis of a log scale would leave out the words of some of them.
        ...(xTicks
          ? [Plot.axisX(xTicks, { ...axis(options.x), text: (x: number) => xFormat(x) } as Plot.AxisXOptions)]
          : []),
        Plot.gridY({ stroke: '#ddd', strokeOpacity: 1 }),
        Plot.ruleY(marks, { stroke: GREY, strokeDasharray: '4 3' }),
        ...bandedLines(
          rows.filter(({ panel }) => panel === name),
          { x: 'x', y: 'y', low: 'low', high: 'high', by: 'line' },
        ),
        heading(name, width),
        Plot.frame({ stroke: '#999' }),
      ],
    }),
  );
  return compose(canvas, { title, legend: legendOf(lines), panels: inRows(panels, columns), note });
}
