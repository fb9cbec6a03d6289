/**
 * The table of a sweep as it fills (server-sent events). What changed within a moment is a frame, made once, whoever reads.
 * A reader is given the next when it has taken the last; who is too slow for the few that are kept gets the table as it is by
 * then, so that nothing waits for a reader in memory.
 */
import { randomBytes } from 'node:crypto';
import type { Aggregator } from '../aggregator';
import type { Board } from '../board';
import { statusOf } from './status';
import { event } from './stream';

/** The least time between two looks at the board, and the most between two signs of life, in ms. */
const [REST, SIGN_OF_LIFE] = [50, 2000];
/** Frames that are kept for who is behind, and their bytes. */
const [KEPT_FRAMES, KEPT_BYTES] = [64, 1 << 21];

const ALIVE = Buffer.from(event('alive', {}));
const GONE = Buffer.from(event('gone', {}));

/** The last event has the id: of a frame that is cut off in the middle all is told again. */
const frameOf = (events: readonly (readonly [kind: string, json: string])[], id: string): Buffer =>
  Buffer.from(
    events
      .map(([kind, json], at) => `${at === events.length - 1 ? `id: ${id}\n` : ''}event: ${kind}\ndata: ${json}\n\n`)
      .join(''),
  );

/** What the readers of one board are told. */
class Feed {
  /** Numbers of frames mean nothing to another board, nor after a restart. */
  readonly mark = randomBytes(6).toString('hex');
  private last = 0;
  /** The frames up to the last. */
  private readonly frames: Buffer[] = [];
  private bytes = 0;
  /** All cells, as they were when a frame was the last. */
  private table: { bytes: Buffer; frame: number } | undefined;
  /** Of the board, and of the sweep, as they were last told. */
  private version: number;
  private status = '';
  private lookedAt = Number.NEGATIVE_INFINITY;
  private nextLook = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private readonly readers = new Set<() => void>();
  private stopListening = () => {};

  /**
   * @param about what is told with the table
   * @param seeds the cells are of their trials alone
   */
  constructor(
    private readonly aggregator: Aggregator,
    private readonly board: Board,
    private readonly about: object,
    private readonly seeds: ReadonlySet<number> | undefined,
  ) {
    this.version = board.version;
  }

  /** Without readers nothing is made. @param wake called after each look @returns what takes the reader away again */
  join(wake: () => void): () => void {
    this.readers.add(wake);
    if (this.readers.size === 1) {
      this.stopListening = this.aggregator.onChange(() =>
        this.lookAt(Math.max(this.lookedAt + REST, performance.now())),
      );
      this.look();
    }
    return () => {
      this.readers.delete(wake);
      if (this.readers.size > 0) return;
      this.stopListening();
      clearTimeout(this.timer);
      this.table = undefined;
    };
  }

  get isRead(): boolean {
    return this.readers.size > 0;
  }

  isAt = (frame: number): boolean => frame === this.last;

  /** What comes behind a frame: the next one, or the table where that is not kept; nothing behind the last. */
  after(frame: number): { bytes: Buffer; frame: number } | undefined {
    const first = this.last - this.frames.length;
    if (frame === this.last) return undefined;
    if (frame >= first && frame < this.last) return { bytes: this.frames[frame - first]!, frame: frame + 1 };
    if (this.table === undefined || this.table.frame < first) this.table = this.makeTable();
    return this.table;
  }

  /** The board may be ahead of the last frame: the next one then tells some of it again, which does no harm. */
  private makeTable() {
    const table = JSON.stringify({ ...this.about, cells: this.board.cellsAfter(-1, this.seeds) });
    const events = [['table', table] as const, ['status', this.status] as const];
    return { bytes: frameOf(events, `${this.mark}-${this.last}`), frame: this.last };
  }

  private lookAt(time: number): void {
    if (time >= this.nextLook) return;
    this.nextLook = time;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), time - performance.now());
  }

  private look(): void {
    const { board } = this;
    this.lookedAt = performance.now();
    this.nextLook = Number.POSITIVE_INFINITY;
    this.lookAt(this.lookedAt + SIGN_OF_LIFE);
    const events: [string, string][] = [];
    if (board.version > this.version)
      events.push(['cells', JSON.stringify(board.cellsAfter(this.version, this.seeds))]);
    this.version = board.version;
    const status = JSON.stringify(statusNow(this.aggregator, board));
    if (status !== this.status) events.push(['status', status]);
    this.status = status;
    if (events.length > 0) this.keep(frameOf(events, `${this.mark}-${this.last + 1}`));
    for (const wake of this.readers) wake();
  }

  private keep(frame: Buffer): void {
    this.frames.push(frame);
    this.last++;
    this.bytes += frame.length;
    while (this.frames.length > KEPT_FRAMES || this.bytes > KEPT_BYTES) this.bytes -= this.frames.shift()!.length;
  }
}

function statusNow(aggregator: Aggregator, board: Board): object {
  const status = statusOf(aggregator, board);
  const cells = status.atWork.flatMap(({ progress }) =>
    progress?.trial === undefined ? [] : (board.cellOf(progress.trial) ?? []),
  );
  const recordsPerMinute = Math.round(board.recordsPerMinute(performance.now() / 1000));
  return { ...status, recordsPerMinute, cellsAtWork: [...new Set(cells)] };
}

/**
 * `table`: all cells, in place of what was told before; `cells`: those that changed; `status` when it changes; `alive` when
 * there is nothing to say; `gone` at the end. With seeds the cells are of their trials alone, the status of all.
 *
 * @param aboutOf what is told with the table of a sweep
 */
export function cellEventsOf(aggregator: Aggregator, aboutOf: (name: string, board: Board) => object) {
  const feeds = new WeakMap<Board, Map<string, Feed>>();
  return async function* (
    name: string,
    seeds: readonly number[] | undefined,
    lastId: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const [, mark, known] = /^([0-9a-f]+)-(\d{1,15})$/.exec(lastId ?? '') ?? [];
    let wake = () => {};
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      const board = aggregator.boards.get(name);
      if (board === undefined) {
        yield GONE;
        return;
      }
      const own = feeds.get(board) ?? new Map<string, Feed>();
      feeds.set(board, own);
      const chosen = seeds && new Set(seeds);
      const key = [...(chosen ?? [])].sort((a, b) => a - b).join();
      const feed = own.get(key) ?? new Feed(aggregator, board, aboutOf(name, board), chosen);
      own.set(key, feed);
      let frame = feed.mark === mark ? Number(known) : -1;
      const leave = feed.join(() => wake());
      try {
        while (!signal.aborted && aggregator.boards.get(name) === board) {
          const next = feed.after(frame);
          frame = next?.frame ?? frame;
          yield next?.bytes ?? ALIVE;
          if (feed.isAt(frame) && !signal.aborted)
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
        }
      } finally {
        leave();
        // There are as many choices of seeds as one likes to ask for: what nobody reads is not kept.
        if (chosen !== undefined && !feed.isRead) own.delete(key);
      }
    }
  };
}
