/** Every name that NATS knows of this project. */

export const RECORDS = 'RECORDS';
export const PROGRESS = 'PROGRESS';

/** One subject a trial, so that the stream can hold no second record of it. */
export const recordSubject = (trial: string) => `prunesweep.record.${trial}`;
export const RECORD_SUBJECTS = recordSubject('*');

/** Where the server itself answers with a trial's record, without the work of a consumer. */
export const recordRequest = (trial: string) => `$JS.API.DIRECT.GET.${RECORDS}.${recordSubject(trial)}`;

export const progressSubject = (lineage: string) => `prunesweep.progress.${lineage}`;
export const PROGRESS_SUBJECTS = progressSubject('*');
