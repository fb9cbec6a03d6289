/** Every name that NATS knows of this project. */
import type { CheckpointName } from '../bus';

export const RECORDS = 'RECORDS';
export const PROGRESS = 'PROGRESS';
export const SWEEPS = 'SWEEPS';
/** A bucket of the object store. */
export const CHECKPOINTS = 'prunesweep-checkpoints';

/** One subject a trial, so that the stream can hold no second record of it; the same for what else may be said of one. */
export const recordSubject = (trial: string) => `prunesweep.record.${trial}`;
export const failureSubject = (trial: string) => `prunesweep.failure.${trial}`;
export const conflictSubject = (trial: string) => `prunesweep.conflict.${trial}`;
export const LEDGER_SUBJECTS = [recordSubject('*'), failureSubject('*'), conflictSubject('*')];

export const progressSubject = (lineage: string) => `prunesweep.progress.lineage.${lineage}`;
export const packSubject = (sweep: string, pack: string) => `prunesweep.progress.pack.${sweep}.${pack}`;
export const PROGRESS_SUBJECTS = [progressSubject('*'), 'prunesweep.progress.pack.>'];

/** A sweep's name is that of a Kubernetes object: it may have dots, but no wildcards or spaces. */
export const sweepSubject = (name: string) => `prunesweep.sweep.${name}`;
/** What a trainer says of the sweep that it works on, which nobody mistakes for what its owner says. */
export const broughtSubject = (name: string) => `prunesweep.progress.sweep.${name}`;
export const SWEEP_SUBJECTS = [sweepSubject('>'), broughtSubject('>')];

export const checkpointKey = (lineage: string, name: CheckpointName) => `${lineage}/${name}`;
