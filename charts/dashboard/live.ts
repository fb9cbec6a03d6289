/** A sweep as the server tells it, live: the table once, then what changes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Axes, LiveCell, Status } from './shown';
import { saved, savedCells } from './source';

export interface Sweep {
  axes?: Axes;
  cells: readonly LiveCell[];
  /** Those that the cells are of. */
  seeds: readonly number[];
  status?: Status;
  /** Losses that each lineage at work has told of its step, the last at the end. */
  losses: ReadonlyMap<string, { step: string; values: number[] }>;
  /** saved: there is no server, and nothing changes any more. */
  connection: 'connecting' | 'live' | 'lost' | 'gone' | 'saved';
}

/** A server that says nothing for so long is lost, in ms; it gives a sign of life every 2 s. */
const SILENCE = 7000;
const TRY_AGAIN = 1000;
const NOTHING: Sweep = {
  ...{ cells: [], seeds: [], losses: new Map(), connection: 'connecting' as const },
  ...(saved === undefined ? {} : { ...saved, connection: 'saved' as const }),
};

function withLosses(losses: Sweep['losses'], { atWork }: Status): Sweep['losses'] {
  return new Map(
    atWork.flatMap(({ lineage, progress }) => {
      if (progress === undefined) return [];
      const known = losses.get(lineage);
      const values = known?.step === progress.step ? [...known.values] : [];
      values[progress.epoch - 1] = progress.loss;
      return [[lineage, { step: progress.step, values }]];
    }),
  );
}

/** Follows a sweep and comes back by itself: from where it was, as the browser sends the last id along. */
export function follow(
  name: string,
  seeds: readonly number[],
  tell: (change: (sweep: Sweep) => Sweep) => void,
): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const connection = (state: Sweep['connection']) =>
    tell((sweep) => (sweep.connection === state ? sweep : { ...sweep, connection: state }));
  const again = () => {
    source?.close();
    clearTimeout(retry);
    retry = setTimeout(open, TRY_AGAIN);
  };
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      connection('lost');
      again();
    }, SILENCE);
  };
  function open() {
    const chosen = seeds.length === 0 ? '' : `?seeds=${seeds.join()}`;
    source = new EventSource(`api/sweeps/${encodeURIComponent(name)}/cells${chosen}`);
    alive();
    source.onerror = () => {
      connection('lost');
      // The browser tries again by itself, but not after an answer that is no stream, as from a server that starts.
      if (source?.readyState === EventSource.CLOSED) again();
    };
    const on = <T>(kind: string, take: (sweep: Sweep, data: T) => Sweep) =>
      source!.addEventListener(kind, ({ data }: MessageEvent<string>) => {
        alive();
        const told = JSON.parse(data) as T;
        tell((sweep) => ({ ...take(sweep, told), connection: 'live' }));
      });
    on<Axes & { cells: LiveCell[] }>('table', (sweep, { cells, ...axes }) => ({ ...sweep, axes, cells, seeds }));
    on<LiveCell[]>('cells', (sweep, changed) => {
      const cells = [...sweep.cells];
      for (const cell of changed) cells[cell.at] = cell;
      return { ...sweep, cells };
    });
    on<Status>('status', (sweep, status) => ({ ...sweep, status, losses: withLosses(sweep.losses, status) }));
    on('alive', (sweep) => sweep);
    source.addEventListener('gone', () => {
      source?.close();
      clearTimeout(watchdog);
      connection('gone');
    });
  }
  open();
  return () => {
    source?.close();
    clearTimeout(retry);
    clearTimeout(watchdog);
  };
}

/** Changes that come within a frame are drawn at once. @param seeds none stands for all */
export function useSweep(name: string, seeds: readonly number[]): Sweep {
  const [sweep, setSweep] = useState<Sweep>(NOTHING);
  // With other seeds what was told before stays until their cells come.
  const current = useRef(NOTHING);
  useEffect(() => {
    if (saved !== undefined) return setSweep({ ...NOTHING, cells: savedCells(saved, seeds), seeds });
    let frame: number | undefined;
    const stop = follow(name, seeds, (change) => {
      const next = change(current.current);
      if (next === current.current) return;
      current.current = next;
      frame ??= requestAnimationFrame(() => {
        frame = undefined;
        setSweep(current.current);
      });
    });
    return () => {
      stop();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  }, [name, seeds.join()]);
  return sweep;
}
