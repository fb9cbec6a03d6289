/** Live events of a sweep (server-sent events), without a gap for who comes back with the last id. */
import type { Aggregator } from '../aggregator';
import type { ToldFact } from '../store';
import { statusOf } from './status';
import { event } from './stream';

/** Facts that are read at once, the least time between two looks, and the most between two signs of life, in ms. */
const [AT_ONCE, REST, SIGN_OF_LIFE] = [500, 250, 15_000];

/**
 * An id is the store's, the grid's and a place of the ledger: after the store was made again places mean other things, and
 * trials that the grid has now may have been recorded long before, so that all is told from the start.
 */
function placeAfter(lastId: string | undefined, source: string): number {
  const [id, sequence] = (lastId ?? '').split('-');
  return id === source && /^\d+$/.test(sequence ?? '') ? Number(sequence) : 0;
}

const told = ({ kind, sequence, ...fact }: ToldFact, source: string) => event(kind, fact, `${source}-${sequence}`);

/**
 * `record`, `failure` and `conflict` once each, in the order of the ledger; `status` and `progress` when they change.
 * A `reset` says that what was told before is void.
 */
export async function* events(
  aggregator: Aggregator,
  name: string,
  lastId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let wake = () => {};
  const stopListening = aggregator.onChange(() => wake());
  signal.addEventListener('abort', () => wake());
  try {
    let source: string | undefined;
    let place = 0;
    let lastStatus = '';
    const lastProgress = new Map<string, string>();
    while (!signal.aborted) {
      const board = aggregator.boards.get(name);
      if (board === undefined) return;
      let text = '';
      const now = `${aggregator.store.id}${board.id}`;
      if (source !== now) {
        place = source === undefined ? placeAfter(lastId, now) : 0;
        if (source !== undefined || (lastId !== undefined && !lastId.startsWith(`${now}-`))) text = event('reset', {});
        source = now;
      }
      const facts = await aggregator.store.factsAfter(name, place, AT_ONCE);
      for (const fact of facts) text += told(fact, now);
      place = facts.at(-1)?.sequence ?? place;
      const { atWork, ...status } = statusOf(aggregator, board);
      const statusText = JSON.stringify({ ...status, timeLeftSeconds: null });
      if (statusText !== lastStatus) text += event('status', status);
      lastStatus = statusText;
      for (const { lineage, pack, progress } of atWork) {
        const progressText = JSON.stringify(progress);
        if (progress !== undefined && lastProgress.get(lineage) !== progressText)
          text += event('progress', { pack, ...progress });
        if (progress !== undefined) lastProgress.set(lineage, progressText);
      }
      if (text !== '') yield text;
      if (facts.length === AT_ONCE) continue;
      const changed = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), SIGN_OF_LIFE);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
        if (signal.aborted) wake();
      });
      if (!changed) yield ': still here\n\n';
      else await new Promise((done) => setTimeout(done, REST));
    }
  } finally {
    stopListening();
  }
}
