import { connect } from 'nats';
import { RECORDS, recordSubject } from '../../bus/nats/subjects';

const ANSWERS_WITHIN = 2000;

/** The trials whose record the ledger holds, asked of NATS itself; undefined while it is away. */
export async function inStream(servers: string): Promise<Set<string> | undefined> {
  try {
    const connection = await connect({ servers, timeout: ANSWERS_WITHIN, reconnect: false });
    try {
      const manager = await connection.jetstreamManager({ timeout: ANSWERS_WITHIN });
      const { state } = await manager.streams.info(RECORDS, { subjects_filter: recordSubject('*') });
      return new Set(Object.keys(state.subjects ?? {}).map((subject) => subject.split('.')[2]!));
    } finally {
      await connection.close();
    }
  } catch {
    return undefined;
  }
}
