/** The curve beside the table: the same figure as `prunesweep figures` draws, of the cells that are looked at. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { drawTradeoff, tradeoffOf } from '../figures/tradeoff';
import { asImage } from './image';
import type { LiveCell } from './shown';
import { TakeAway } from './takeaway';

/** More lines than colours cannot be told apart. */
const MOST_NETWORKS = 8;
/** The least time between two drawings, ms. */
const REST = 500;

export function Curve({ cells, published }: { cells: readonly LiveCell[]; published: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const drawnAt = useRef(0);
  const networks = [...new Set(cells.map(({ network }) => network))];
  const own = new Set(networks.slice(0, MOST_NETWORKS));
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const shown = cells.filter(({ network, mean }) => mean !== undefined && own.has(network));
    if (width === 0) return;
    const timer = setTimeout(
      () => {
        drawnAt.current = performance.now();
        const { rows, note } = tradeoffOf(shown);
        const drawn = { rows: published ? rows : rows.filter(({ recipe }) => recipe !== 'published'), note };
        if (shown.length === 0) box.current!.replaceChildren('Nothing is measured yet.');
        else {
          const label = 'Test error against remaining weights; the table has the same numbers';
          box.current!.replaceChildren(asImage(drawTradeoff(drawn, { document, width }), label));
        }
      },
      Math.max(0, drawnAt.current + REST - performance.now()),
    );
    return () => clearTimeout(timer);
  }, [cells, published, width]);
  return (
    <section aria-label="Curve" class="curve">
      <div class="picture" ref={box} />
      <TakeAway of={box} name="tradeoff" />
      {networks.length > MOST_NETWORKS && (
        <p>
          The first {MOST_NETWORKS} of {networks.length} networks are drawn; choose one above to see it alone.
        </p>
      )}
    </section>
  );
}
