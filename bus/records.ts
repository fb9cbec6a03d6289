/** Records as text, and what may be wrong with a text that says it is one. */
import { DataError } from '../sweep/errors';
import { trialId } from '../sweep/ids';
import { RECORD_VERSION, type TrialRecord } from '../sweep/record';

/** Everything but what they cost. */
const measured = ({ cost: _, ...rest }: TrialRecord) => JSON.stringify(rest);

/** @throws DataError when the two are measurements of one trial that differ in more than what they cost */
export function assertSame(known: TrialRecord, record: TrialRecord): void {
  if (measured(known) === measured(record)) return;
  throw new DataError(
    `trial ${record.id} has been measured twice with different results; one of the two runs was on a faulty machine or with another version of the engine. Run the sweep again in a new folder`,
  );
}

export class OtherVersion extends Error {}

/** @throws Error that says why the text is no record of this version with the id of its trial */
export function parseRecord(text: string): TrialRecord {
  const record = JSON.parse(text) as Partial<TrialRecord> | null;
  if (record === null || typeof record !== 'object' || record.trial === undefined) throw new Error('not a record');
  if (record.version !== RECORD_VERSION)
    throw new OtherVersion(`a record of version ${record.version}, this program reads version ${RECORD_VERSION}`);
  if (trialId(record.trial) !== record.id) throw new Error(`its trial id ${record.id} is not that of its trial`);
  return record as TrialRecord;
}
