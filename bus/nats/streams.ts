/** The streams as the project needs them, made where they are missing. */
import { isDeepStrictEqual } from 'node:util';
import { DiscardPolicy, nanos, RetentionPolicy, StorageType, type StreamConfig } from 'nats';
import { DataError } from '../../sweep/errors';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { CHECKPOINTS, LEDGER_SUBJECTS, PROGRESS, PROGRESS_SUBJECTS, RECORDS, SWEEP_SUBJECTS, SWEEPS } from './subjects';

const HOUR = 3_600_000;
const MONTH = 30 * 24 * HOUR;

/**
 * Records: on disk, for ever, and no second one of a trial: at one message a subject and `discard: new` the server
 * refuses it (error 10077), long after a window of deduplication would have closed. Nobody may delete or purge.
 */
const records: Partial<StreamConfig> = {
  ...{ name: RECORDS, subjects: LEDGER_SUBJECTS },
  ...{ storage: StorageType.File, retention: RetentionPolicy.Limits, max_age: 0 },
  ...{ discard: DiscardPolicy.New, discard_new_per_subject: true, max_msgs_per_subject: 1 },
  ...{ deny_delete: true, deny_purge: true, allow_direct: true },
};

/** Sweeps: the last definition of each name, by its owner and by a trainer. */
const sweeps: Partial<StreamConfig> = {
  ...{ name: SWEEPS, subjects: SWEEP_SUBJECTS },
  ...{ storage: StorageType.File, retention: RetentionPolicy.Limits, max_age: 0 },
  ...{ discard: DiscardPolicy.Old, max_msgs_per_subject: 1, allow_direct: true },
};

/** Progress: in memory, the last hour at most, old news making room for new: nothing may depend on it. */
const progress: Partial<StreamConfig> = {
  ...{ name: PROGRESS, subjects: PROGRESS_SUBJECTS },
  ...{ storage: StorageType.Memory, retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old },
  ...{ max_age: nanos(HOUR), max_msgs: 100_000, max_bytes: 64 * 2 ** 20 },
};

/**
 * Checkpoints: a bucket of the object store, as nats.js 2.29 makes one; what it says of replicas the server refuses. A
 * checkpoint of a lineage that nobody has gone on with for a month is worth less than its space.
 */
const checkpoints: Partial<StreamConfig> = {
  ...{ name: `OBJ_${CHECKPOINTS}`, subjects: [`$O.${CHECKPOINTS}.C.>`, `$O.${CHECKPOINTS}.M.>`] },
  ...{ storage: StorageType.File, retention: RetentionPolicy.Limits, max_age: nanos(MONTH) },
  ...{ discard: DiscardPolicy.New, allow_rollup_hdrs: true, allow_direct: true },
};

/** What the promises of the ledger rest on: without one of these, records could be lost, replaced or not be found. */
const ESSENTIAL = [
  ...['subjects', 'storage', 'retention', 'max_age', 'discard', 'discard_new_per_subject', 'max_msgs_per_subject'],
  ...['deny_delete', 'deny_purge', 'allow_direct'],
] as (keyof StreamConfig)[];

/**
 * Makes the streams and the bucket that are missing, and leaves those that are there as they are.
 *
 * @param replicas servers that keep each message
 * @throws DataError when there is a stream of records that would not keep them as the ledger promises
 */
export async function ensureStreams(link: NatsLink, replicas = 1): Promise<void> {
  await patiently(link, 'making the streams', 0, async () => {
    const manager = await link.connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_WITHIN });
    const names = await manager.streams.names().next();
    for (const config of [records, sweeps, progress, checkpoints])
      if (!names.includes(config.name!)) await manager.streams.add({ ...config, num_replicas: replicas });
    requireRecords((await manager.streams.info(RECORDS)).config);
  });
}

function requireRecords(found: StreamConfig): void {
  const plain = (value: unknown) => (Array.isArray(value) ? [...value].sort() : (value ?? false));
  const problems = ESSENTIAL.filter(
    (setting) => !isDeepStrictEqual(plain(found[setting]), plain(records[setting])),
  ).map(
    (setting) =>
      `stream ${RECORDS}: ${setting} is ${JSON.stringify(plain(found[setting]))}, not ${JSON.stringify(records[setting])}`,
  );
  if (problems.length === 0) return;
  throw new DataError(
    `${problems.join('\n')}\nchange it with "nats stream edit ${RECORDS}"; storage and retention cannot be changed: back the stream up, delete it, and prunesweep makes it anew`,
  );
}
