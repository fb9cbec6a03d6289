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

interface RowProps {
  row: Row;
  /** Its place in the whole table. */
  at: number;
  /** All of the sweep, by their places. */
  cells: readonly LiveCell[];
  atWork: ReadonlySet<number>;
  open: number | undefined;
  marked: number | undefined;
  /** The column that the tabulator key leads to, if it is in this row. */
  reached: number | undefined;
  /** Told that a cell has the focus. */
  focus(row: number, column: number, cell: LiveCell | undefined): void;
  blur(): void;
  point(cell: LiveCell | undefined): void;
  leave(): void;
  choose(cell: LiveCell): void;
}

/**
 * Rendered anew when something in it changed: an event changes a few rows, and what is made in vain is waste. Elements kept by
 * useMemo would not do: they keep the whole table that they were first a part of, 800 MB after a minute.
 */
class RowView extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const now = this.props;
    if (next.row !== now.row || next.at !== now.at || next.reached !== now.reached) return true;
    return next.row.places.some(
      (place) =>
        place !== undefined &&
        (next.cells[place] !== now.cells[place] ||
          next.atWork.has(place) !== now.atWork.has(place) ||
          (next.open === place) !== (now.open === place) ||
          (next.marked === place) !== (now.marked === place)),
    );
  }

  // What is told is of the moment, not of when the row was rendered: hence this.props in the handlers.
  override render() {
    const { row, at, cells, atWork, open, marked, reached } = this.props;
    return (
      <tr aria-rowindex={at + 2}>
        <th scope="row">
          {row.network}
          <small>{row.recipe}</small>
        </th>
        {row.places.map((place, column) => {
          const cell = place === undefined ? undefined : cells[place];
          const state = cell && stateOf(cell, atWork.has(cell.at));
          const label = cell === undefined ? 'no such cell' : cellLabel(cell, state!);
          const isAt = (other: number | undefined) => cell !== undefined && cell.at === other;
          return (
            <td
              role="gridcell"
              key={column}
              class={`cell ${state ?? 'none'}${isAt(open) ? ' open' : ''}${isAt(marked) ? ' marked' : ''}`}
              {...(cell?.mean === undefined ? {} : { style: shadeOf(cell.mean) })}
              aria-label={label}
              title={label}
              tabIndex={column === reached ? 0 : -1}
              onFocus={() => this.props.focus(at, column, cell)}
              onBlur={() => this.props.blur()}
              onPointerEnter={() => this.props.point(cell)}
              onPointerLeave={() => this.props.leave()}
              onClick={() => cell !== undefined && this.props.choose(cell)}
            >
              {cell !== undefined && `${SIGNS[state!]} ${cell.mean === undefined ? '' : meanText(cell)}`}
              {cell !== undefined && state !== 'complete' && <small>{`${cell.n} of ${cell.N}`}</small>}
            </td>
          );
        })}
      </tr>
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
    const [view, cell] = [box.current!, box.current!.querySelector<HTMLElement>('td.marked')];
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
            {rows.slice(first, last).map((row, index) => (
              <RowView
                // A row that comes into sight takes the elements of one that went: new ones are waste by the thousand.
                key={(first + index) % (seen.count + 2 * SPARE)}
                row={row}
                at={first + index}
                cells={cells}
                atWork={atWork}
                open={open}
                marked={marked?.at}
                reached={first + index === tabRow ? column : undefined}
                focus={focus}
                blur={blur}
                point={mark}
                leave={leave}
                choose={choose}
              />
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
