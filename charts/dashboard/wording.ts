/** Numbers and states in words. */
import type { LiveCell, Status } from './shown';

/** Made once: `toLocaleString` makes one at each call, and a table says thousands of counts a second. */
const COUNT = new Intl.NumberFormat('en');

export const percent = (fraction: number): string => (100 * fraction).toFixed(2);

/** `98.12 ± 0.10`, percent. */
export function meanText({ mean, high }: Pick<LiveCell, 'mean' | 'high'>): string {
  if (mean === undefined) return '–';
  return high === undefined ? percent(mean) : `${percent(mean)} ± ${percent(high - mean)}`;
}

export type CellState = 'empty' | 'running' | 'partial' | 'failed' | 'complete';

export function stateOf({ n, N, failed = 0 }: LiveCell, isAtWork: boolean): CellState {
  if (isAtWork && n + failed < N) return 'running';
  if (failed > 0) return 'failed';
  return n === 0 ? 'empty' : n < N ? 'partial' : 'complete';
}

/** A sign for each state that is not plain, which needs no colour. */
export const SIGNS: Record<CellState, string> = { empty: '·', running: '▶', partial: '◐', failed: '✕', complete: '' };

export function cellLabel(cell: LiveCell, state: CellState): string {
  const mean = cell.mean === undefined ? 'no measurement' : `accuracy ${meanText(cell)} percent`;
  const failed = cell.failed === undefined ? '' : `, ${cell.failed} failed`;
  return `${cell.network}, ${cell.recipe}, ${COUNT.format(cell.remainingWeights)} weights left: ${mean}, ${cell.n} of ${cell.N} trials${failed}, ${state}`;
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** What the MetricsComplete condition says, in words. */
export function completeness({ trials, ledger }: Status): string {
  const { total, recorded, failed, missing } = trials;
  if (!ledger.ready) return `Not known: ${ledger.reason}.`;
  if (recorded === total)
    return `Every one of the ${total.toLocaleString('en')} trials has its record in the table: nothing was lost.`;
  const parts = [
    ...(missing > 0 ? [`${missing.toLocaleString('en')} still to come`] : []),
    ...(failed > 0 ? [`${failed.toLocaleString('en')} failed`] : []),
  ];
  return `${recorded.toLocaleString('en')} of ${total.toLocaleString('en')} trials have their record in the table; ${parts.join(', ')}.`;
}

export const STATES: Record<Status['state'], string> = {
  complete: '✓ complete',
  running: '▶ running',
  waiting: '… waiting: nobody works on it',
  failed: '✕ failed: nobody works on it',
  unknown: '? unknown: the ledger is away or still being read',
};
