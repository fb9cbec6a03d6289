/** The table and the curve, linked: what is pointed at in one stands out in the other. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Curve } from './curve';
import type { Axes, LiveCell } from './shown';
import { Table } from './table';
import type { View } from './view';

/** A pointer that passes over cells faster, in ms, means none of them. */
const MOMENT = 60;

/** The cell that is pointed at, and where. */
export interface Marked {
  at: number;
  from: 'table' | 'curve';
}

export function Linked(props: {
  axes: Axes;
  /** All of the sweep, by their places, and the places of those that are shown. */
  cells: readonly LiveCell[];
  shown: readonly number[];
  /** All of the sweep. */
  networks: readonly string[];
  atWork: readonly number[];
  /** What a person asked for. */
  view: View;
  choose(cell: LiveCell): void;
}) {
  const { axes, cells, shown, networks, atWork, view, choose } = props;
  const open = view.cell;
  const [marked, mark] = useState<Marked>();
  const soon = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(soon.current), []);
  const of = (from: Marked['from']) => (cell: LiveCell | undefined) => {
    clearTimeout(soon.current);
    soon.current = setTimeout(() => mark(cell && { at: cell.at, from }), MOMENT);
  };
  return (
    <>
      <Table
        axes={axes}
        cells={cells}
        shown={shown}
        atWork={atWork}
        open={open}
        marked={marked}
        mark={of('table')}
        choose={choose}
      />
      <Curve
        cells={cells}
        shown={shown}
        networks={networks}
        view={view}
        marked={marked?.at ?? open}
        mark={of('curve')}
        choose={choose}
      />
    </>
  );
}
