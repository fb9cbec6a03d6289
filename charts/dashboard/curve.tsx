/** The curve beside the table: the same figure as `prunesweep figures` draws, of the cells that are looked at. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { drawTradeoff, tradeoffOf } from '../figures/tradeoff';
import { asImage } from './image';
import { Parts } from './parts';
import type { LiveCell } from './shown';
import { TakeAway } from './takeaway';
import { type View, viewUrl } from './view';
import { cellLabel, stateOf } from './wording';

/** When none was chosen; more lines than colours are hard to tell apart. */
const MOST_NETWORKS = 8;
/** The least time between two drawings, ms, and in drawings: one of 800 points takes 0.1 s, and leaves 1,800 elements behind. */
const [REST, REST_IN_DRAWINGS] = [1000, 100];

/** The list of before for as long as its elements are the same ones, so that what depends on it is not made again. */
function useSame<Element>(list: readonly Element[]): readonly Element[] {
  const kept = useRef(list);
  const isSame = list.length === kept.current.length && list.every((element, at) => element === kept.current[at]);
  if (!isSame) kept.current = list;
  return kept.current;
}

export function Curve(props: {
  /** All of the sweep, by their places, and the places of those that are shown. */
  cells: readonly LiveCell[];
  shown: readonly number[];
  /** All of the sweep. */
  networks: readonly string[];
  /** What a person asked for; networks that were chosen are drawn all. */
  view: View;
  /** Place of the cell that stands out. */
  marked: number | undefined;
  /** Told what is pointed at. */
  mark(cell: LiveCell | undefined): void;
  choose(cell: LiveCell): void;
}) {
  const { cells, networks } = props;
  const { networks: chosen, recipes, seeds, published } = props.view;
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const asked = viewUrl({ networks: chosen, recipes, seeds, published });
  const drawn = useRef({ asked: '', restUntil: 0 });
  const [parts, setParts] = useState<Parts>();
  const isPart = chosen.length === 0 && networks.length > MOST_NETWORKS;
  const places = useMemo(() => {
    const names = new Set(isPart ? networks.slice(0, MOST_NETWORKS) : networks);
    return props.shown.filter((at) => names.has(cells[at]!.network));
  }, [props.shown, networks, isPart]);
  const measured = useSame(places.map((at) => cells[at]!).filter(({ mean }) => mean !== undefined));
  const marked = cells[props.marked ?? -1];
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (width === 0) return;
    const timer = setTimeout(
      () => {
        const began = performance.now();
        const { rows, note } = tradeoffOf(measured);
        const figure = { rows: published ? rows : rows.filter(({ recipe }) => recipe !== 'published'), note };
        if (measured.length === 0) {
          box.current!.replaceChildren('Nothing is measured yet.');
          return setParts(undefined);
        }
        const picture = drawTradeoff(figure, { document, width });
        box.current!.replaceChildren(picture);
        setParts(new Parts(picture, measured));
        asImage(picture, 'Test error against remaining weights; the table has the same numbers');
        const now = performance.now();
        drawn.current = { asked, restUntil: now + Math.max(REST, REST_IN_DRAWINGS * (now - began)) };
      },
      // A person does not wait for what was drawn before.
      drawn.current.asked === asked ? Math.max(0, drawn.current.restUntil - performance.now()) : 0,
    );
    return () => clearTimeout(timer);
  }, [measured, asked, width]);
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
      {isPart && (
        <p>
          The first {MOST_NETWORKS} of {networks.length} networks are drawn; those that are chosen above are drawn all.
        </p>
      )}
    </section>
  );
}
