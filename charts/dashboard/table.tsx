/** The comparison table: networks and recipes against remaining weights. Rows out of sight are not in the page. */
import { Component } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { LEGEND, shadeOf } from './colour';
import type { Marked } from './linked';
import type { Axes, LiveCell } from './shown';
import { cellLabel, meanText, SIGNS, stateOf } from './wording';

/** CSS pixels of a row, as in style.css, and rows beyond the edge that are there already. */
const [ROW, SPARE] = [44, 6];

export interface Column {
  title: string;
  countOf(weights: number): number;
}

export interface Row {
  network: string;
  recipe: string;
  /** Places of its cells, a column each. */
  places: (number | undefined)[];
}

export function columnsOf({ pruneRatios, remainingWeights }: Axes): Column[] {
  return [
    ...[...pruneRatios]
      .sort((a, b) => a - b)
      .map((ratio) => ({
        title: `${Number((100 * (1 - ratio)).toPrecision(12))} %`,
        countOf: (total: number) => Math.round((1 - ratio) * total),
      })),
    ...[...remainingWeights]
      .sort((a, b) => b - a)
      .map((count) => ({ title: count.toLocaleString('en'), countOf: () => count })),
  ];
}

/** @param cells those that are shown, filled or not */
export function rowsOf(cells: readonly LiveCell[], columns: readonly Column[], { weights }: Axes): Row[] {
  const rows = new Map<string, Map<number, LiveCell>>();
  for (const cell of cells) {
    const key = `${cell.network} ${cell.recipe}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, new Map([[cell.remainingWeights, cell]]));
    else row.set(cell.remainingWeights, cell);
  }
  return [...rows.values()].map((row) => {
    const { network, recipe } = row.values().next().value!;
    const total = weights[network] ?? 0;
    return { network, recipe, places: columns.map(({ countOf }) => row.get(countOf(total))?.at) };
  });
}

const Legend = () => (
  <ul class="legend" aria-label="Legend: test accuracy, percent, and signs">
    {LEGEND.map((accuracy) => (
      <li key={accuracy} style={shadeOf(accuracy / 100)}>
        {accuracy}
      </li>
    ))}
    <li class="plain">· empty</li>
    <li class="plain">▶ at work</li>
    <li class="plain">◐ some of its trials</li>
    <li class="plain">✕ failed</li>
  </ul>
);

interface CellProps {
  cell: LiveCell | undefined;
  /** Of the whole table. */
  row: number;
  column: number;
  /** By the tabulator key: one cell of the table is. */
  isReached: boolean;
  isAtWork: boolean;
  isOpen: boolean;
  isMarked: boolean;
  /** Told that a cell has the focus. */
  focus(row: number, column: number, cell: LiveCell | undefined): void;
  blur(): void;
  point(cell: LiveCell | undefined): void;
  leave(): void;
  choose(cell: LiveCell): void;
}

/** Rendered anew when something about the cell changed: most of a table has nothing new. */
class CellView extends Component<CellProps> {
  // An element kept by useMemo would keep the whole table that it was first a part of: 800 MB after a minute, not 300.
  override shouldComponentUpdate(next: CellProps): boolean {
    const named = ['cell', 'isReached', 'isAtWork', 'isOpen', 'isMarked'] as const;
    return named.some((name) => next[name] !== this.props[name]);
  }

  private readonly events = {
    onFocus: () => this.props.focus(this.props.row, this.props.column, this.props.cell),
    onBlur: () => this.props.blur(),
    onPointerEnter: () => this.props.point(this.props.cell),
    onPointerLeave: () => this.props.leave(),
    onClick: () => this.props.cell !== undefined && this.props.choose(this.props.cell),
  };

  override render() {
    const { cell, isReached, isAtWork, isOpen, isMarked } = this.props;
    const tabIndex = isReached ? 0 : -1;
    if (cell === undefined)
      return <td role="gridcell" aria-label="no such cell" tabIndex={tabIndex} {...this.events} />;
    const state = stateOf(cell, isAtWork);
    const label = cellLabel(cell, state);
    return (
      <td role="gridcell" aria-label={label} title={label} tabIndex={tabIndex} {...this.events}>
        <span
          class={`cell ${state}${isOpen ? ' open' : ''}${isMarked ? ' marked' : ''}`}
          {...(cell.mean === undefined ? {} : { style: shadeOf(cell.mean) })}
        >
          <span>
            {SIGNS[state]} {cell.mean === undefined ? '' : meanText(cell)}
          </span>
          <small>{state === 'complete' ? '' : `${cell.n} of ${cell.N}`}</small>
        </span>
      </td>
    );
  }
}

export function Table(props: {
  axes: Axes;
  /** All of the sweep, by their places, and the places of those that are shown. */
  cells: readonly LiveCell[];
  shown: readonly number[];
  atWork: readonly number[];
  open: number | undefined;
  marked: Marked | undefined;
  /** Told what is pointed at, or has the focus. */
  mark(cell: LiveCell | undefined): void;
  choose(cell: LiveCell): void;
}) {
  const { axes, cells, shown, open, marked, mark, choose } = props;
  const columns = useMemo(() => columnsOf(axes), [axes]);
  // Numbers come many times a second; which cells there are changes seldom.
  const rows = useMemo(() => {
    const some = shown.map((at) => cells[at]!);
    return rowsOf(some, columns, axes);
  }, [shown, columns, axes]);
  const atWork = useMemo(() => new Set(props.atWork), [props.atWork]);
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, count: 15 });
  const [active, setActive] = useState<[number, number]>([0, 0]);
  const isMoved = useRef(false);
  const look = () => {
    const { scrollTop, clientHeight } = box.current!;
    const next = { top: Math.floor(scrollTop / ROW), count: Math.ceil(clientHeight / ROW) + 1 };
    setSeen((last) => (last.top === next.top && last.count === next.count ? last : next));
  };
  useEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  // Before the next key is handled: the focus, once set, says where it begins.
  useLayoutEffect(() => {
    if (!isMoved.current) return;
    isMoved.current = false;
    box.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }, [active]);

  const first = Math.max(0, seen.top - SPARE);
  const last = Math.min(rows.length, seen.top + seen.count + SPARE);
  const row = Math.min(active[0], rows.length - 1);
  const column = Math.min(active[1], columns.length - 1);
  useLayoutEffect(() => {
    // A row that went out of sight left its elements, and the focus, to another.
    if (row < first || row >= last) box.current!.querySelector<HTMLElement>('td:focus')?.blur();
  }, [first, last]);
  // What the keyboard is at stays in reach, be it out of sight.
  const tabRow = row >= first && row < last ? row : first;

  // A key that follows before the page is drawn again begins where the last one led.
  const at = useRef<[number, number]>([0, 0]);
  at.current = [tabRow, column];

  const showRow = (row: number) => {
    const view = box.current!;
    const [above, below] = [row * ROW, (row + 2) * ROW - view.clientHeight];
    if (view.scrollTop > above) view.scrollTop = above;
    if (view.scrollTop < below) view.scrollTop = below;
    look();
  };
  /** A place in the table; nothing for a cell that is not in it. */
  const placeOf = (at: number | undefined): [number, number] | undefined => {
    if (at === undefined) return undefined;
    for (const [row, { places }] of rows.entries()) {
      const column = places.indexOf(at);
      if (column >= 0) return [row, column];
    }
    return undefined;
  };
  // What is pointed at in the curve is brought into sight, within the table alone: the page stays where it is.
  const pointedAt = marked?.from === 'curve' ? marked.at : undefined;
  useEffect(() => {
    const place = placeOf(pointedAt);
    if (place !== undefined) showRow(place[0]);
  }, [pointedAt]);
  useEffect(() => {
    const [view, cell] = [box.current!, box.current!.querySelector<HTMLElement>('td:has(.marked)')];
    if (pointedAt === undefined || cell === null) return;
    const name = (cell.parentElement!.firstElementChild as HTMLElement).offsetWidth;
    const [left, right] = [cell.offsetLeft - name, cell.offsetLeft + cell.offsetWidth - view.clientWidth];
    if (view.scrollLeft > left) view.scrollLeft = left;
    if (view.scrollLeft < right) view.scrollLeft = right;
  }, [pointedAt, first]);
  // Where the keyboard goes on when the open cell is closed.
  useEffect(() => {
    const place = placeOf(open);
    if (place !== undefined) setActive(place);
  }, [open]);

  const focused = useRef<LiveCell | undefined>(undefined);
  const focus = (row: number, column: number, cell: LiveCell | undefined) => {
    setActive([row, column]);
    focused.current = cell;
    mark(cell);
  };
  const blur = () => {
    focused.current = undefined;
    mark(undefined);
  };
  const leave = () => mark(focused.current);
  const move = (event: KeyboardEvent) => {
    const [row, column] = at.current;
    const page = Math.max(1, seen.count - 4);
    const steps: Record<string, [number, number]> = {
      ...{ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] },
      ...{ PageUp: [-page, 0], PageDown: [page, 0], Home: [0, -columns.length], End: [0, columns.length] },
    };
    const cell = cells[rows[row]?.places[column] ?? -1];
    if ((event.key === 'Enter' || event.key === ' ') && cell !== undefined) {
      event.preventDefault();
      choose(cell);
    }
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(rows.length - 1, row + step[0]));
    showRow(next);
    isMoved.current = true;
    at.current = [next, Math.max(0, Math.min(columns.length - 1, column + step[1]))];
    setActive(at.current);
  };

  return (
    <section aria-label="Comparison table" class="comparison">
      <Legend />
      <div class="scroll" ref={box} onScroll={look}>
        <table role="grid" aria-label="Test accuracy, percent" aria-rowcount={rows.length + 1} onKeyDown={move}>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col">network and recipe</th>
              {columns.map(({ title }) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <tr role="presentation" class="gap" style={{ height: `${first * ROW}px` }} />}
            {rows.slice(first, last).map(({ network, recipe, places }, index) => (
              // A row that comes into sight takes the elements of one that went: new ones are waste by the thousand.
              <tr key={(first + index) % (seen.count + 2 * SPARE)} aria-rowindex={first + index + 2}>
                <th scope="row">
                  {network}
                  <small>{recipe}</small>
                </th>
                {places.map((place, at) => (
                  <CellView
                    key={at}
                    cell={place === undefined ? undefined : cells[place]}
                    row={first + index}
                    column={at}
                    isReached={first + index === tabRow && at === column}
                    isAtWork={place !== undefined && atWork.has(place)}
                    isOpen={place !== undefined && place === open}
                    isMarked={place !== undefined && place === marked?.at}
                    focus={focus}
                    blur={blur}
                    point={mark}
                    leave={leave}
                    choose={choose}
                  />
                ))}
              </tr>
            ))}
            {last < rows.length && (
              <tr role="presentation" class="gap" style={{ height: `${(rows.length - last) * ROW}px` }} />
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}
