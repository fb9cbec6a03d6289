/** `prunesweep table --format html`: the page of a sweep with all that it shows in it, for a reader without a server. */

import { Board } from '../aggregator/board';
import { tableCsv } from '../aggregator/csv';
import { savedPage } from '../aggregator/http/page';
import { statusOf } from '../aggregator/http/status';
import { Live } from '../aggregator/live';
import { axesOf, tableLatex, tableMarkdown } from '../aggregator/table';
import { FolderLedger } from '../bus/folder';
import type { Saved, SavedTrial } from '../charts/dashboard/shown';
import { accuracy, cellPlaces } from '../sweep/cells';
import { gridPoints } from '../sweep/grid';
import type { TrialRecord } from '../sweep/record';
import { sweepOfFolder } from './sweepfile';

/** Records are 2.6 kB each; with more of them the file has means, seeds and ids alone. */
const MOST_RECORDS = 3000;

export function savedTable(folder: string): string {
  const published = sweepOfFolder(folder);
  const { sweep, shape } = published.definition;
  const points = gridPoints(sweep.spec, shape);
  const places = cellPlaces(points);
  const entries = new FolderLedger([folder]).read();
  const records = new Map<string, TrialRecord>();
  const failures = new Map<string, string>();
  const conflicts: string[] = [];
  for (const entry of entries) {
    if (entry.kind === 'record') records.set(entry.record.id, entry.record);
    if (entry.kind === 'failure') failures.set(entry.failure.trial, entry.failure.reason);
    if (entry.kind === 'conflict') conflicts.push(entry.trial);
  }
  const accuracies = points.map(({ trial }) => {
    const record = records.get(trial.id);
    return record === undefined ? null : accuracy(record);
  });
  const board = new Board(published, {
    ...{ places, accuracies, trials: points.map(({ trial }) => trial.id) },
    facts: [
      ...[...failures.keys()].map((trial) => ({ kind: 'failure' as const, trial })),
      ...conflicts.map((trial) => ({ kind: 'conflict' as const, trial })),
    ],
  });
  const trialOf = (point: number): SavedTrial => {
    const { id, content } = points[point]!.trial;
    const failure = failures.get(id) ?? null;
    const measured = accuracies[point]!;
    const state = measured !== null ? 'recorded' : failure === null ? 'missing' : 'failed';
    return { id, seed: content.seed, state, accuracy: measured, failure: state === 'failed' ? failure : null };
  };
  const axes = axesOf(sweep.spec, shape);
  const own = points.flatMap(({ trial }) => records.get(trial.id) ?? []);
  const readiness = { isReady: true, reason: 'the table is what the ledger says', folded: entries.length };
  const saved: Saved = {
    name: sweep.metadata.name,
    axes: {
      ...axes,
      weights: Object.fromEntries(axes.weights),
      seeds: sweep.spec.seeds,
      logCommand: `prunesweep run ${folder}/sweep.yaml --out ${folder}`,
    },
    cells: board.cellsAfter(-1),
    status: { ...statusOf({ live: new Live(), readiness }, board), recordsPerMinute: 0, cellsAtWork: [] },
    trials: places.map((place) => place.points.map(trialOf)),
    records: own.length > MOST_RECORDS ? {} : Object.fromEntries(own.map((record) => [record.id, record])),
    files: { csv: tableCsv(board.cells), md: tableMarkdown(board.cells, axes), tex: tableLatex(board.cells, axes) },
  };
  return savedPage(saved);
}
