/**
 * The table of a sweep as it fills (server-sent events). A reader is told all cells once and then those that changed. What
 * it is told is read off the board when it has taken what came before: a slow reader gets the same end in fewer steps, and
 * nothing waits for it in memory; ten readers cost one fold.
 */
import { randomBytes } from 'node:crypto';
import type { Aggregator } from '../aggregator';
import type { Board } from '../board';
import { statusOf } from './status';
import { event } from './stream';

/** The least time between two looks, and the most between two signs of life, in ms. */
const [REST, SIGN_OF_LIFE] = [100, 2000];

/** Versions of a board mean nothing to another, nor after a restart. */
const marks = new WeakMap<Board, string>();
function markOf(board: Board): string {
  const mark = marks.get(board) ?? randomBytes(6).toString('hex');
  marks.set(board, mark);
  return mark;
}

function statusNow(aggregator: Aggregator, board: Board): object {
  const status = statusOf(aggregator, board);
  const cells = status.atWork.flatMap(({ progress }) =>
    progress?.trial === undefined ? [] : (board.cellOf(progress.trial) ?? []),
  );
  const recordsPerMinute = Math.round(board.recordsPerMinute(performance.now() / 1000));
  return { ...status, recordsPerMinute, cellsAtWork: [...new Set(cells)] };
}

/** `table`: all cells, in place of what was told before; `cells`: those that changed; `status` when it changes; `gone` at the end. */
export async function* cellEvents(
  aggregator: Aggregator,
  name: string,
  about: object,
  lastId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let wake = () => {};
  const stopListening = aggregator.onChange(() => wake());
  signal.addEventListener('abort', () => wake());
  try {
    const given = /^([0-9a-f]+)-(\d+)$/.exec(lastId ?? '');
    let mark = given?.[1];
    let known = Number(given?.[2] ?? -1);
    let lastStatus = '';
    while (!signal.aborted) {
      const board = aggregator.boards.get(name);
      if (board === undefined) {
        yield event('gone', {});
        return;
      }
      let text = '';
      const isAll = mark !== markOf(board) || known > board.version;
      if (isAll || board.version > known) {
        mark = markOf(board);
        const cells = board.cellsAfter(isAll ? -1 : known);
        known = board.version;
        text = event(isAll ? 'table' : 'cells', isAll ? { ...about, cells } : cells, `${mark}-${known}`);
      }
      const status = JSON.stringify(statusNow(aggregator, board));
      if (status !== lastStatus) text += `event: status\ndata: ${status}\n\n`;
      lastStatus = status;
      yield text === '' ? event('alive', {}) : text;
      // The time between two looks goes by first: what comes in it is told at once.
      await new Promise((done) => setTimeout(done, REST));
      if (aggregator.boards.get(name)?.version === known && !signal.aborted)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, SIGN_OF_LIFE);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
    }
  } finally {
    stopListening();
  }
}
