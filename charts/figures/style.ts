/** How all figures look: sizes, colours, and how panels, legend and note are put together. */
import * as Plot from '@observablehq/plot';
import type { Canvas } from './figure';

/** CSS pixels of a millimetre. */
const PIXELS = 96 / 25.4;
/** A column and a page of a journal. */
export const WIDTHS = { '89mm': 89 * PIXELS, '183mm': 183 * PIXELS } as const;
export type WidthName = keyof typeof WIDTHS;

export const FONT = 'Source Sans 3';
/** 7.5 points: what journals ask of labels. */
const FONT_SIZE = 10;
const LINE = 13;

/** Okabe and Ito 2008: told apart by the colour-blind too. Yellow, which white swallows, is left out. */
export const PALETTE = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#000000',
  '#8c6d31',
] as const;
export const GREY = '#666666';
/** One fewer than colours: the ninth name has the first's colour and the second's symbol, and so on up to 56 names. */
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'wye', 'cross'] as const;

/** A colour and a symbol for each name, in order. */
export const coloured = (names: readonly string[]) => ({
  color: { domain: [...names], range: names.map((_, at) => PALETTE[at % PALETTE.length]!) },
  symbol: { domain: [...names], range: names.map((_, at) => SYMBOLS[at % SYMBOLS.length]!) },
});

const MARGIN_LEFT = 46;

/** Options that all plots share. @param text the heading, see `heading` */
export const base = ({ document }: Canvas, width: number, height: number, text = ''): Plot.PlotOptions => ({
  ...{ document, width, height, marginRight: 10, marginBottom: 34, marginLeft: MARGIN_LEFT },
  marginTop: 8 + (LINE - 1) * Math.max(1, headingLines(text, width).length),
  style: { fontFamily: FONT, fontSize: `${FONT_SIZE}px`, background: 'white', color: '#222' },
});

/** Axes as all figures have them; the label says the unit. */
export const axis = (label: string | null, options: Plot.ScaleOptions = {}): Plot.ScaleOptions => ({
  ...{ label, labelArrow: 'none', labelAnchor: 'center', ...options },
});

/** A log axis of counts: a tick and a word a decade. */
export const logAxis = (label: string, options: Plot.ScaleOptions = {}): Plot.ScaleOptions =>
  axis(label, { type: 'log', ...options });

/** Counts in running text: 2,657. */
export const whole = (count: number): string => count.toLocaleString('en-US');

/** Counts on axes and in labels: 266k, 1.06M. */
export function short(count: number): string {
  if (count >= 1e6) return `${Number((count / 1e6).toPrecision(3))}M`;
  if (count >= 1000) return `${Number((count / 1000).toPrecision(3))}k`;
  return String(Number(count.toPrecision(3)));
}

export interface LegendEntry {
  label: string;
  color: string;
  kind?: 'line' | 'dashed' | 'area' | 'dot';
  symbol?: Plot.SymbolType;
}

/** The entries of names that have a colour and a symbol each. */
export const legendOf = (names: readonly string[], kind: LegendEntry['kind'] = 'line'): LegendEntry[] => {
  const { color, symbol } = coloured(names);
  return names.map((label, at) => ({ label, kind, color: color.range[at]!, symbol: symbol.range[at]! }));
};

/** The plot itself, where Plot would wrap one with a legend in a figure. */
export const plot = (options: Plot.PlotOptions): SVGSVGElement => Plot.plot(options) as unknown as SVGSVGElement;

const SVG = 'http://www.w3.org/2000/svg';

function element(document: Document, name: string, attributes: Record<string, string | number>, text?: string) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Of a text in the figures' font, near enough to break lines and to set entries apart. */
const widthOf = (text: string) => 0.47 * FONT_SIZE * text.length;

/** Lines of at most `width` pixels, broken between words. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && widthOf(`${line} ${word}`) <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export const EDGE = 6;
const SWATCH = 16;

/** Legend entries from left to right, in as many rows as they take. */
function placed(entries: readonly LegendEntry[], width: number): { entry: LegendEntry; x: number; row: number }[] {
  let [x, row] = [EDGE, 0];
  return entries.map((entry) => {
    const taken = SWATCH + 4 + widthOf(entry.label) + 12;
    if (x + taken > width && x > EDGE) [x, row] = [EDGE, row + 1];
    const at = { entry, x, row };
    x += taken;
    return at;
  });
}

/** Drawn by Plot, so that symbols are those of the panels. */
function legendPlot(canvas: Canvas, legend: readonly LegendEntry[]): SVGSVGElement {
  const entries = placed(legend, canvas.width).map(({ entry, x, row }) => ({
    ...{ kind: 'line', symbol: 'circle', ...entry },
    ...{ x, end: x + SWATCH, y: LINE * (row + 0.5), top: LINE * row + 2, bottom: LINE * (row + 1) - 2 },
  }));
  const of = (...kinds: string[]) => entries.filter(({ kind }) => kinds.includes(kind));
  const stroke = { x1: 'x', x2: 'end', y: 'y', stroke: 'color', strokeWidth: 1.6 } as const;
  return plot({
    ...base(canvas, canvas.width, LINE * Math.max(...entries.map(({ y }) => Math.ceil(y / LINE))) + 4),
    ...{ margin: 0, marginTop: 0, marginRight: 0, marginBottom: 0, marginLeft: 0 },
    ...{ x: { type: 'identity', axis: null }, y: { type: 'identity', axis: null } },
    marks: [
      Plot.ruleY(of('line'), stroke),
      Plot.ruleY(of('dashed'), { ...stroke, strokeDasharray: '4 3' }),
      Plot.rect(of('area'), { x1: 'x', x2: 'end', y1: 'top', y2: 'bottom', fill: 'color' }),
      Plot.dot(
        of('line', 'dot').filter(({ kind, symbol }) => kind === 'dot' || symbol !== undefined),
        { x: (d) => d.x + SWATCH / 2, y: 'y', r: 2.6, stroke: 'color', symbol: 'symbol', fill: 'white' },
      ),
      Plot.text(entries, { x: (d) => d.end + 4, y: 'y', text: 'label', textAnchor: 'start' }),
    ],
  });
}

export interface Layout {
  title: string;
  legend?: readonly LegendEntry[];
  /** Rows of plots. Their sizes are their own. */
  panels: readonly (readonly SVGSVGElement[])[];
  note: string;
}

const sizeOf = (panel: SVGSVGElement, side: 'width' | 'height') => Number(panel.getAttribute(side));

/** One picture: title, legend, panels row by row, note. */
export function compose(canvas: Canvas, { title, legend = [], panels, note }: Layout): SVGSVGElement {
  const { document, width } = canvas;
  const svg = element(document, 'svg', {
    xmlns: SVG,
    width,
    'font-family': FONT,
    'font-size': FONT_SIZE,
    fill: '#222',
  });
  const background = element(document, 'rect', { width: '100%', height: '100%', fill: 'white' });
  svg.append(background);
  let y = EDGE;
  const lines = (text: string, attributes: Record<string, string | number>) => {
    for (const line of wrapped(text, width - 2 * EDGE)) {
      y += LINE;
      svg.append(element(document, 'text', { x: EDGE, y, ...attributes }, line));
    }
  };
  lines(title, { 'font-weight': 600 });
  y += 4;
  const rows = legend.length === 0 ? panels : [[legendPlot(canvas, legend)], ...panels];
  for (const row of rows) {
    let x = 0;
    for (const panel of row) {
      panel.setAttribute('x', String(x));
      panel.setAttribute('y', String(y));
      svg.append(panel);
      x += sizeOf(panel, 'width');
    }
    y += Math.max(...row.map((panel) => sizeOf(panel, 'height')));
  }
  lines(note, { fill: GREY });
  svg.setAttribute('height', String(Math.ceil(y + EDGE + 2)));
  svg.setAttribute('viewBox', `0 0 ${width} ${Math.ceil(y + EDGE + 2)}`);
  return svg as SVGSVGElement;
}

export interface Column<Row> {
  label: string;
  isText?: boolean;
  of(row: Row): string | undefined;
}

/** A table as a picture: smaller letters where it would be wider than the page. */
export function drawTable<Row>(
  canvas: Canvas,
  {
    title,
    columns,
    rows,
    note,
  }: { title: string; columns: readonly Column<Row>[]; rows: readonly Row[]; note: string },
): SVGSVGElement {
  const { document, width } = canvas;
  const texts = [columns.map(({ label }) => label), ...rows.map((row) => columns.map(({ of }) => of(row) ?? '–'))];
  // Figures and capitals are wider than the running text that `widthOf` is for.
  const widths = columns.map((_, at) => Math.max(...texts.map((line) => 1.1 * widthOf(line[at]!))) + 12);
  const natural = widths.reduce((sum, one) => sum + one, 0);
  const scale = Math.min(1, (width - 2 * EDGE) / natural);
  const line = LINE * 1.25;
  const height = (texts.length * line + 10) * scale;
  const panel = element(document, 'svg', { width, height }) as SVGSVGElement;
  const body = element(document, 'g', { transform: `translate(${EDGE} 0) scale(${scale})` });
  for (const [row, fields] of texts.entries()) {
    const y = (row + 1) * line - 3;
    let x = 0;
    for (const [at, text] of fields.entries()) {
      const isText = columns[at]!.isText === true;
      const anchor = { x: isText ? x : x + widths[at]! - 12, 'text-anchor': isText ? 'start' : 'end' };
      body.append(element(document, 'text', { y, ...anchor, 'font-weight': row === 0 ? 600 : 400 }, text));
      x += widths[at]!;
    }
  }
  for (const row of [0, 1, texts.length]) {
    const y = row * line + 1;
    body.append(
      element(document, 'line', {
        x1: 0,
        x2: natural,
        y1: y,
        y2: y,
        stroke: '#222',
        'stroke-width': row === 1 ? 0.6 : 1,
      }),
    );
  }
  panel.append(body);
  return compose(canvas, { title, panels: [[panel]], note });
}

/** `98.12 ± 0.10`, or as much of it as there is. */
export function plusMinus({ mean, high }: { mean: number; high?: number | undefined }, digits = 2): string {
  const interval = high === undefined ? '' : ` ± ${(high - mean).toFixed(digits)}`;
  return `${mean.toFixed(digits)}${interval}`;
}

/** A line a name with its band and dots, from rows with `low` and `high` columns. */
export const bandedLines = <Row extends object>(
  rows: readonly Row[],
  { x, y, low, high, by }: Record<'x' | 'y' | 'low' | 'high' | 'by', keyof Row & string>,
): Plot.Markish[] => [
  Plot.areaY(rows as Row[], { x, y1: low, y2: high, fill: by, fillOpacity: 0.18 }),
  Plot.line(rows as Row[], { x, y, stroke: by, strokeWidth: 1.4 }),
  Plot.dot(rows as Row[], { x, y, stroke: by, symbol: by, fill: 'white', r: 2.2 }),
];

/** Points with their intervals. */
export const intervals = <Row extends object>(
  rows: readonly Row[],
  { x, y, low, high, by }: Record<'x' | 'y' | 'low' | 'high' | 'by', keyof Row & string>,
): Plot.Markish[] => [
  Plot.ruleX(rows as Row[], { x, y1: low, y2: high, stroke: by, strokeWidth: 1.2 }),
  Plot.dot(rows as Row[], { x, y, stroke: by, symbol: by, fill: 'white', r: 2.6 }),
];

/** How wide and high panels are: so many beside each other on a page; on a column two, or one below another if they are few. */
export function grid(canvas: Canvas, panels: number, most: number, ratio = 0.75) {
  const columns = canvas.width < 500 ? (panels > 3 ? 2 : 1) : Math.max(1, Math.min(most, panels));
  const width = canvas.width / columns;
  return { columns, width, height: Math.max(150, Math.min(300, width * ratio)) };
}

/** Panels in rows of `columns`. */
export function inRows<T>(items: readonly T[], columns: number): T[][] {
  const rows: T[][] = [];
  for (let at = 0; at < items.length; at += columns) rows.push(items.slice(at, at + columns));
  return rows;
}

/** Semibold letters are wider. */
const headingLines = (text: string, width: number) => wrapped(text, (width - 2 * EDGE) / 1.08);

/**
 * A heading above a panel's frame, from its left edge on; `base` leaves room for it.
 *
 * @param width of the panel
 * @param place the facet that it stands over, where there are several
 */
export const heading = (text: string, width: number, place: { fx?: () => string } = {}, marginLeft = MARGIN_LEFT) =>
  Plot.text([headingLines(text, width).join('\n')], {
    ...{ ...place, frameAnchor: 'top-left', lineAnchor: 'bottom', dx: EDGE - marginLeft, dy: -4, fontWeight: 600 },
    text: (t: string) => t,
  });
