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
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'wye', 'cross', 'times'] as const;

/** A colour and a symbol for each name, in order; a ninth begins again. */
export const coloured = (names: readonly string[]) => ({
  color: { domain: [...names], range: names.map((_, at) => PALETTE[at % PALETTE.length]!) },
  symbol: { domain: [...names], range: names.map((_, at) => SYMBOLS[at % SYMBOLS.length]!) },
});

/** Options that all plots share. */
export const base = ({ document }: Canvas, width: number, height: number): Plot.PlotOptions => ({
  ...{ document, width, height, marginTop: 20, marginRight: 10, marginBottom: 34, marginLeft: 46 },
  style: { fontFamily: FONT, fontSize: `${FONT_SIZE}px`, background: 'white', color: '#222' },
});

/** Axes as all figures have them; the label says the unit. */
export const axis = (label: string, options: Plot.ScaleOptions = {}): Plot.ScaleOptions => ({
  ...{ label, labelArrow: 'none', labelAnchor: 'center', ...options },
});

/** A log axis of counts: a tick and a word a decade. */
export const logAxis = (label: string, options: Plot.ScaleOptions = {}): Plot.ScaleOptions =>
  axis(label, { type: 'log', ...options });

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
}

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

const EDGE = 6;
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

function swatch(document: Document, { color, kind = 'line' }: LegendEntry, x: number, y: number): Element {
  if (kind === 'area') return element(document, 'rect', { x, y: y - 9, width: SWATCH, height: 9, fill: color });
  if (kind === 'dot')
    return element(document, 'circle', {
      cx: x + SWATCH / 2,
      cy: y - 4,
      r: 3,
      fill: 'none',
      stroke: color,
      'stroke-width': 1.3,
    });
  const line = { x1: x, x2: x + SWATCH, y1: y - 4, y2: y - 4, stroke: color, 'stroke-width': 2 };
  return element(document, 'line', kind === 'dashed' ? { ...line, 'stroke-dasharray': '4 3' } : line);
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
export function compose({ document, width }: Canvas, { title, legend = [], panels, note }: Layout): SVGSVGElement {
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
  const entries = placed(legend, width);
  for (const { entry, x, row } of entries) {
    const at = y + LINE * (row + 1);
    svg.append(swatch(document, entry, x, at), element(document, 'text', { x: x + SWATCH + 4, y: at }, entry.label));
  }
  if (entries.length > 0) y += LINE * (entries.at(-1)!.row + 1) + 4;
  for (const row of panels) {
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

/** How wide and high panels are when so many stand beside each other on a page, one below another on a column. */
export function grid(canvas: Canvas, panels: number, most: number, ratio = 0.75) {
  const columns = canvas.width < 500 ? 1 : Math.max(1, Math.min(most, panels));
  const width = canvas.width / columns;
  return { columns, width, height: Math.max(170, Math.min(300, width * ratio)) };
}

/** Panels in rows of `columns`. */
export function inRows<T>(items: readonly T[], columns: number): T[][] {
  const rows: T[][] = [];
  for (let at = 0; at < items.length; at += columns) rows.push(items.slice(at, at + columns));
  return rows;
}

/** A heading above a panel's frame. @param place the facet that it stands over, where there are several */
export const heading = (text: string, place: { fx?: () => string } = {}) =>
  Plot.text([text], {
    ...place,
    frameAnchor: 'top-left',
    dy: -14,
    fontWeight: 600,
    ...(text.length > 36 ? { fontSize: 0.8 * FONT_SIZE } : {}),
    text: (t: string) => t,
  });
