import { DiscardPolicy, StorageType, type StreamConfig } from 'nats';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectNats } from '../../../bus/nats/connect';
import { ensureStreams } from '../../../bus/nats/streams';
import { RECORDS } from '../../../bus/nats/subjects';
import { DataError } from '../../../sweep/errors';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';

async function begin() {
  const server = await NatsServer.start();
  onTestFinished(() => server.stop());
  const link = await connectNats({ url: server.url }, 'test', () => {});
  onTestFinished(() => link.connection.close());
  return { link, streams: (await link.connection.jetstreamManager()).streams };
}

const wrong: [Partial<StreamConfig>, string][] = [
  [{ max_msgs_per_subject: 2 }, 'max_msgs_per_subject is 2, not 1'],
  [{ discard: DiscardPolicy.Old, discard_new_per_subject: false }, 'discard is "old", not "new"'],
  [{ discard_new_per_subject: false }, 'discard_new_per_subject is false, not true'],
  [{ storage: StorageType.Memory }, 'storage is "memory", not "file"'],
  [{ max_age: 3_600_000_000_000 }, 'max_age is 3600000000000, not 0'],
  [{ deny_delete: false }, 'deny_delete is false, not true'],
  [{ deny_purge: false }, 'deny_purge is false, not true'],
  [{ allow_direct: false }, 'allow_direct is false, not true'],
  [{ subjects: ['prunesweep.record.*'] }, 'subjects is ["prunesweep.record.*"], not ["prunesweep.record.*",'],
];

describe.runIf(hasNats)(`the streams${whyNoNats}`, () => {
  it('are made once, and again asked for are left as they are', async () => {
    const { link, streams } = await begin();
    await ensureStreams(link);
    const { config, created } = await streams.info(RECORDS);
    await ensureStreams(link);
    expect(await streams.info(RECORDS)).toMatchObject({ config, created });
  });

  it.each(wrong)('of records with %j are refused, with the mend', async (other, words) => {
    const { link, streams } = await begin();
    await ensureStreams(link);
    const { config } = await streams.info(RECORDS);
    await streams.delete(RECORDS);
    await streams.add({ ...config, ...other });
    const before = await streams.info(RECORDS);
    const refused = ensureStreams(link);
    await expect(refused).rejects.toThrow(DataError);
    await expect(refused).rejects.toThrow(`stream ${RECORDS}: ${words}`);
    await expect(refused).rejects.toThrow('nats stream edit RECORDS');
    expect(await streams.info(RECORDS)).toMatchObject({ config: before.config, created: before.created });
  });
});
