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
  '#a0a0a0',
] as const;
export const GREY = '#666666';
/** Not as many as colours: the tenth name has the first's colour and another symbol, and so on up to 63 names. */
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'wye', 'cross'] as const;

/** A colour and a symbol for each name, in order. */
export const coloured = (names: readonly string[]) => ({
  color: { domain: [...names], range: names.map((_, at) => PALETTE[at % PALETTE.length]!) },
  symbol: { domain: [...names], range: names.map((_, at) => SYMBOLS[at % SYMBOLS.length]!) },
});

const MARGIN_LEFT = 46;

/** Options that all plots share. @param text the heading, see `heading` */
export const base = ({ document }: Canvas, width: number, height: number, text = ''): Plot.PlotOptions => ({
  ...{ document, width, height, marginRight: 14, marginBottom: 34, marginLeft: MARGIN_LEFT },
  marginTop: 12 + (LINE - 1) * Math.max(1, headingLines(text, width).length),
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
      Plot.rect(of('area'), {
        x1: 'x',
        x2: 'end',
        y1: 'top',
        y2: 'bottom',
        fill: 'color',
        stroke: '#999',
        strokeWidth: 0.5,
      }),
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
  /** What neighbours have in common, written once above them; they are not parted. */
  group?: string;
  isText?: boolean;
  of(row: Row): string | undefined;
}

export interface Table<Row> {
  title: string;
  /** The first names the rows. */
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  note: string;
}

const GAP = 10;

/** Figures and capitals are wider than the running text that `widthOf` is for. */
const fieldWidth = (text: string) => 1.1 * widthOf(text);

/** Columns as a picture, letters smaller only where even these are wider than the page. */
function tablePanel<Row>(
  { document, width }: Canvas,
  columns: readonly (Column<Row> & { width: number })[],
  rows: readonly Row[],
): SVGSVGElement {
  const natural = columns.reduce((sum, column) => sum + column.width, -GAP);
  const scale = Math.min(1, (width - 2 * EDGE) / natural);
  const line = LINE * 1.25;
  const heads = columns.some(({ group }) => group !== undefined) ? 2 : 1;
  const lines = heads + rows.length;
  const panel = element(document, 'svg', { width, height: (lines * line + 10) * scale }) as SVGSVGElement;
  const body = element(document, 'g', { transform: `translate(${EDGE} 0) scale(${scale})` });
  const rule = (y: number, x1: number, x2: number, strokeWidth: number) =>
    body.append(element(document, 'line', { x1, x2, y1: y, y2: y, stroke: '#222', 'stroke-width': strokeWidth }));
  const write = (text: string, x: number, row: number, anchor: string, weight = 400) =>
    body.append(
      element(document, 'text', { x, y: (row + 1) * line - 3, 'text-anchor': anchor, 'font-weight': weight }, text),
    );
  let x = 0;
  for (const [at, { label, group, isText = false, of, width: taken }] of columns.entries()) {
    const right = x + taken - GAP;
    const [edge, anchor] = isText ? [x, 'start'] : [right, 'end'];
    write(label, edge, heads - 1, anchor, 600);
    for (const [row, one] of rows.entries()) write(of(one) ?? '–', edge, heads + row, anchor);
    const isLast = group !== undefined && columns[at + 1]?.group !== group;
    if (isLast) {
      const first = columns.findIndex((column) => column.group === group);
      const left = columns.slice(0, first).reduce((sum, column) => sum + column.width, 0);
      write(group, (left + right) / 2, 0, 'middle', 600);
      rule(line + 1, left, right, 0.6);
    }
    x += taken;
  }
  rule(1, 0, natural, 1);
  rule(heads * line + 1, 0, natural, 0.6);
  rule(lines * line + 1, 0, natural, 1);
  panel.append(body);
  return panel;
}

/** A table as a picture: in parts one below another, each with the first column, where it is wider than the page. */
export function drawTable<Row>(canvas: Canvas, { title, columns, rows, note }: Table<Row>): SVGSVGElement {
  const sized = columns.map((column) => ({
    ...column,
    width: GAP + Math.max(...[column.label, ...rows.map((row) => column.of(row) ?? '–')].map(fieldWidth)),
  }));
  const [names, ...others] = sized;
  const parts: (typeof sized)[] = [];
  // From the last column on, so that what is left over stands above, with the most general columns.
  for (let end = others.length; end > 0; ) {
    const { group } = others[end - 1]!;
    let at = end - 1;
    while (group !== undefined && others[at - 1]?.group === group) at--;
    const wider = [...others.slice(at, end), ...(parts[0] ?? [])];
    const total = [names!, ...wider].reduce((sum, column) => sum + column.width, -GAP);
    if (parts.length > 0 && total <= canvas.width - 2 * EDGE) parts[0] = wider;
    else parts.unshift(others.slice(at, end));
    end = at;
  }
  const panels = parts.map((part) => [tablePanel(canvas, [names!, ...part], rows)]);
  return compose(canvas, { title, panels, note });
}

/** `98.12 ± 0.10`, or as much of it as there is. */
export function plusMinus({ mean, high }: { mean: number; high?: number | undefined }, digits = 2): string {
  const interval = high === undefined ? '' : ` ± ${(high - mean).toFixed(digits)}`;
  return `${mean.toFixed(digits)}${interval}`;
}

/** What parts of a picture are called, for a page that finds them again. */
export interface PartNames<Row> {
  line(row: Row): string;
  point(row: Row): string;
}

/** A line a name with its band and dots, from rows with `low` and `high` columns. */
export const bandedLines = <Row extends object>(
  rows: readonly Row[],
  { x, y, low, high, by }: Record<'x' | 'y' | 'low' | 'high' | 'by', keyof Row & string>,
  names?: PartNames<NoInfer<Row>>,
): Plot.Markish[] => {
  const named = (part: keyof PartNames<Row>) => (names === undefined ? {} : { ariaLabel: names[part] });
  return [
    Plot.areaY(rows as Row[], { x, y1: low, y2: high, fill: by, fillOpacity: 0.18, ...named('line') }),
    Plot.line(rows as Row[], { x, y, stroke: by, strokeWidth: 1.4, ...named('line') }),
    Plot.dot(rows as Row[], { x, y, stroke: by, symbol: by, fill: 'white', r: 2, ...named('point') }),
  ];
};

/** Points with their intervals. @param dx pixels to the right, for what stands beside another at the same place */
export const intervals = <Row extends object>(
  rows: readonly Row[],
  { x, y, low, high, by }: Record<'x' | 'y' | 'low' | 'high' | 'by', keyof Row & string>,
  dx = 0,
): Plot.Markish[] => [
  Plot.ruleX(rows as Row[], { x, y1: low, y2: high, stroke: by, strokeWidth: 1.2, dx }),
  Plot.dot(rows as Row[], { x, y, stroke: by, symbol: by, fill: 'white', r: 2.4, dx }),
];

/** How wide and high panels are: so many beside each other on a page; on a column two, or one below another if they are few. */
export function grid(canvas: Canvas, panels: number, most: number, ratio = 0.75) {
  const isColumn = canvas.width < 500;
  const columns = isColumn ? (panels > 3 ? 2 : 1) : Math.max(1, Math.min(most, panels));
  const width = canvas.width / columns;
  return { columns, width, height: Math.max(165, Math.min(isColumn && panels > 1 ? 180 : 300, width * ratio)) };
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
    ...{ ...place, frameAnchor: 'top-left', lineAnchor: 'bottom', dx: EDGE - marginLeft, dy: -8, fontWeight: 600 },
    text: (t: string) => t,
  });
