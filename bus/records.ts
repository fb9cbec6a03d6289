/** Records as text, and what may be wrong with a text that says it is one. */
import { DataError } from '../sweep/errors';
import { readRecord } from '../sweep/readrecord';
import type { TrialRecord } from '../sweep/record';

/** Everything but what they cost, and the map, which what was written at version 1 has not. */
const measured = ({ cost: _, survivorsByInput: __, ...rest }: TrialRecord) => JSON.stringify(rest);

/** Whether two measurements of one trial differ in nothing but what they cost, as far as both say it. */
export function isSame(known: TrialRecord, record: TrialRecord): boolean {
  const maps = new Set([known, record].flatMap(({ survivorsByInput }) => survivorsByInput ?? []));
  return measured(known) === measured(record) && maps.size < 2;
}

/** @throws DataError when the two are measurements of one trial that differ */
export function assertSame(known: TrialRecord, record: TrialRecord): void {
  if (isSame(known, record)) return;
  throw new DataError(
    `trial ${record.id} has been measured twice with different results; one of the two runs was on a faulty machine or with another version of the engine. Run the sweep again in a new folder`,
  );
}

/** @throws Error that says why the text is no record */
export const parseRecord = (text: string): TrialRecord => readRecord(JSON.parse(text));
