/** What there is to say of a sweep in one look. */
import type { Cell } from '../../sweep/cells';
import { networkName } from '../../sweep/networks';
import type { Aggregator } from '../aggregator';
import type { Board, Counts } from '../board';
import type { LineageAtWork } from '../live';

export interface Status {
  name: string;
  definition: string;
  /** ISO 8601. */
  since: string;
  state: 'complete' | 'running' | 'waiting' | 'failed' | 'unknown';
  complete: boolean;
  trials: Counts & { running: number };
  timeLeftSeconds: number | null;
  networks: string[];
  best: Cell | null;
  atWork: LineageAtWork[];
  conflicts: string[];
  ledger: { ready: boolean; reason: string; folded: number; last?: number };
}

export function statusOf({ live, readiness }: Pick<Aggregator, 'live' | 'readiness'>, board: Board): Status {
  const { sweep } = board.published.definition;
  const { name } = sweep.metadata;
  const now = performance.now() / 1000;
  const { counts } = board;
  const atWork = live.atWork(name, now);
  const { isReady, ...ledger } = readiness;
  // A lineage works on one trial at a time, or on the dense network of its first.
  const running = Math.min(atWork.length, counts.missing);
  const timeLeft = running === 0 ? undefined : board.timeLeft(now);
  return {
    name,
    definition: board.id,
    since: new Date(board.published.since).toISOString(),
    state: stateOf(isReady, counts, running),
    complete: isReady && counts.recorded === counts.total,
    trials: { ...counts, running },
    timeLeftSeconds: timeLeft === undefined ? null : Math.round(timeLeft),
    networks: sweep.spec.hiddenWidths.map(networkName),
    best: board.best ?? null,
    atWork,
    conflicts: [...board.conflicts],
    ledger: { ready: isReady, ...ledger },
  };
}

/** Without the ledger's word nothing is said to be complete. */
function stateOf(isReady: boolean, { total, recorded, missing }: Counts, running: number): Status['state'] {
  if (!isReady) return 'unknown';
  if (recorded === total) return 'complete';
  if (running > 0) return 'running';
  return missing === 0 ? 'failed' : 'waiting';
}
