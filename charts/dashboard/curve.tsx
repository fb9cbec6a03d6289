/** The curve beside the table: the same figure as `prunesweep figures` draws, of the cells that are looked at. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { drawTradeoff, tradeoffOf } from '../figures/tradeoff';
import { asImage } from './image';
import { Parts } from './parts';
import type { LiveCell } from './shown';
import { TakeAway } from './takeaway';
import { cellLabel, stateOf } from './wording';

/** When none was chosen; more lines than colours are hard to tell apart. */
const MOST_NETWORKS = 8;
/** The least time between two drawings, ms. */
const REST = 1000;

const drawnOf = (networks: readonly string[], isChosen: boolean) =>
  isChosen ? networks : networks.slice(0, MOST_NETWORKS);

export function Curve(props: {
  cells: readonly LiveCell[];
  published: boolean;
  /** Whether a person chose the networks: then all of them are drawn. */
  isChosen: boolean;
  /** Place of the cell that stands out. */
  marked: number | undefined;
  /** Told what is pointed at. */
  mark(cell: LiveCell | undefined): void;
  choose(cell: LiveCell): void;
}) {
  const { cells, published, isChosen } = props;
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const drawnAt = useRef(0);
  const [parts, setParts] = useState<Parts>();
  const networks = useMemo(() => [...new Set(cells.map(({ network }) => network))], [cells]);
  const marked = useMemo(() => cells.find(({ at }) => at === props.marked), [cells, props.marked]);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const own = new Set(drawnOf(networks, isChosen));
    const shown = cells.filter(({ network, mean }) => mean !== undefined && own.has(network));
    if (width === 0) return;
    const timer = setTimeout(
      () => {
        drawnAt.current = performance.now();
        const { rows, note } = tradeoffOf(shown);
        const drawn = { rows: published ? rows : rows.filter(({ recipe }) => recipe !== 'published'), note };
        if (shown.length === 0) {
          box.current!.replaceChildren('Nothing is measured yet.');
          return setParts(undefined);
        }
        const picture = drawTradeoff(drawn, { document, width });
        box.current!.replaceChildren(picture);
        setParts(new Parts(picture, shown));
        asImage(picture, 'Test error against remaining weights; the table has the same numbers');
      },
      Math.max(0, drawnAt.current + REST - performance.now()),
    );
    return () => clearTimeout(timer);
  }, [cells, networks, published, isChosen, width]);
  useEffect(() => parts?.mark(marked), [parts, marked]);
  // What is pointed at is looked up in the picture of the moment.
  const current = useRef(props);
  current.current = props;
  useEffect(() => {
    const { current: picture } = box;
    let last: number | undefined;
    const point = (cell: LiveCell | undefined) => {
      picture!.classList.toggle('pointed', cell !== undefined);
      if (cell?.at !== last) current.current.mark(cell);
      last = cell?.at;
    };
    const ended = new AbortController();
    const on = <Kind extends 'pointermove' | 'pointerleave' | 'click'>(
      kind: Kind,
      take: (event: HTMLElementEventMap[Kind]) => void,
    ) => picture!.addEventListener(kind, take, { signal: ended.signal });
    on('pointermove', (event) => point(parts?.at(event)));
    on('pointerleave', () => point(undefined));
    on('click', (event) => {
      const cell = parts?.at(event);
      if (cell !== undefined) current.current.choose(cell);
    });
    return () => ended.abort();
  }, [parts]);
  return (
    <section aria-label="Curve" class="curve">
      <div class="picture" ref={box} />
      <p class="marked-words">
        {marked === undefined
          ? 'Point at a cell or a point to find it in both.'
          : cellLabel(marked, stateOf(marked, false))}
      </p>
      <TakeAway of={box} name="tradeoff" />
      {drawnOf(networks, isChosen).length < networks.length && (
        <p>
          The first {MOST_NETWORKS} of {networks.length} networks are drawn; those that are chosen above are drawn all.
        </p>
      )}
    </section>
  );
}
