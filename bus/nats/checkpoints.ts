/** Checkpoints in the object store: each is there as a whole, with its digest, or not at all. */
import { setTimeout } from 'node:timers/promises';
import { ErrorCode, NatsError, type ObjectStore } from 'nats';
import { CHECKPOINT_NAMES, type CheckpointName, type Checkpoints } from '../bus';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { CHECKPOINTS, checkpointKey } from './subjects';

/** ms; the largest checkpoints of the article's networks, 13 MB, take a tenth of a second. */
const LOADED_WITHIN = 20_000;

export class NatsCheckpoints implements Checkpoints {
  private constructor(
    private readonly link: NatsLink,
    private readonly store: ObjectStore,
  ) {}

  static async open(link: NatsLink): Promise<NatsCheckpoints> {
    const manager = await link.connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_WITHIN });
    const store = await patiently(link, 'the bucket of checkpoints', 0, async () => {
      // Where there is no bucket the client would make one, with settings of its own.
      await manager.streams.info(`OBJ_${CHECKPOINTS}`);
      return link.connection.jetstream({ timeout: ANSWER_WITHIN }).views.os(CHECKPOINTS);
    });
    return new NatsCheckpoints(link, store);
  }

  async load(lineage: string): Promise<Map<CheckpointName, Uint8Array>> {
    const found = new Map<CheckpointName, Uint8Array>();
    for (const name of CHECKPOINT_NAMES) {
      const what = `the checkpoint of lineage ${lineage.slice(0, 12)}`;
      const bytes = await patiently(this.link, what, 0, () => this.get(checkpointKey(lineage, name)));
      if (bytes === 'damaged') {
        // Pieces can come to be there twice, when a network sends what it took twice. All pods to come would end the same way.
        this.link.say(`${what} is damaged in the object store; it is forgotten, and the lineage begins anew`);
        await this.remove(lineage);
        return new Map();
      }
      if (bytes !== null) found.set(name, bytes);
    }
    return found;
  }

  /** The client waits for ever for the pieces of an object when the server is killed while it sends them. */
  private async get(key: string): Promise<Uint8Array | 'damaged' | null> {
    const late = new AbortController();
    const timeout = setTimeout(LOADED_WITHIN, undefined, { signal: late.signal }).then(() => {
      throw NatsError.errorForCode(ErrorCode.Timeout);
    });
    timeout.catch(() => {});
    const blob = this.store.getBlob(key).catch((error: Error) => {
      if (error.message.includes('corrupt object')) return 'damaged' as const;
      throw error;
    });
    return Promise.race([blob, timeout]).finally(() => late.abort());
  }

  async save(lineage: string, name: CheckpointName, bytes: Uint8Array): Promise<void> {
    const what = `the checkpoint of lineage ${lineage.slice(0, 12)}`;
    await patiently(this.link, what, bytes.length, () =>
      this.store.putBlob({ name: checkpointKey(lineage, name) }, bytes),
    );
  }

  async remove(lineage: string): Promise<void> {
    for (const name of CHECKPOINT_NAMES)
      await patiently(this.link, 'forgetting checkpoints', 0, () => this.deleteIfThere(checkpointKey(lineage, name)));
  }

  private async deleteIfThere(key: string): Promise<void> {
    try {
      if ((await this.store.info(key)) !== null) await this.store.delete(key);
    } catch (error) {
      if (!(error instanceof NatsError && error.code === '404')) throw error;
    }
  }
}
