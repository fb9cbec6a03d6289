/** Where the page has what it shows from: the server, or the file that it is in. */
import { fillCells } from '../../sweep/cells';
import type { TrialRecord } from '../../sweep/record';
import type { LiveCell, Saved, SavedTrial } from './shown';

const element = document.getElementById('saved');

/** Nothing when there is a server to ask. */
export const saved: Saved | undefined = element === null ? undefined : (JSON.parse(element.textContent ?? '') as Saved);

/** The cells over the trials of some seeds alone; none stands for all. */
export function savedCells({ cells, trials }: Saved, seeds: readonly number[]): LiveCell[] {
  if (seeds.length === 0) return cells;
  return cells.map(({ at, network, recipe, pruneRatio, remainingWeights }) => {
    const chosen = trials[at]!.filter(({ seed }) => seeds.includes(seed));
    const failed = chosen.filter(({ state }) => state === 'failed').length;
    const place = {
      ...{ network, recipe, remainingWeights, points: [...chosen.keys()] },
      ...(pruneRatio === undefined ? {} : { pruneRatio }),
    };
    const [cell] = fillCells([place], (point) => chosen[point]!.accuracy ?? undefined);
    return { at, ...cell!, ...(failed === 0 ? {} : { failed }) };
  });
}

async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error((body as { error: string }).error);
  return body as T;
}

export async function trialsOf(
  sweep: string,
  { at, network, recipe, remainingWeights }: LiveCell,
): Promise<SavedTrial[]> {
  if (saved !== undefined) return saved.trials[at]!;
  const query = new URLSearchParams({ network, recipe, remainingWeights: String(remainingWeights), limit: '1000' });
  const page = await ask<{ trials: SavedTrial[] }>(`api/sweeps/${encodeURIComponent(sweep)}/trials?${query}`);
  return page.trials;
}

/** @throws Error that says why there is none */
export async function recordOf(trial: string): Promise<TrialRecord> {
  if (saved === undefined) return (await ask<{ record: TrialRecord }>(`api/trials/${trial}`)).record;
  const record = saved.records[trial];
  if (record !== undefined) return record;
  throw new Error(
    Object.keys(saved.records).length === 0
      ? 'This file has no single records, since there are too many; `prunesweep serve` shows them.'
      : `There is no record of ${trial}.`,
  );
}
