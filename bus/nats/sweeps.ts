/** The sweeps that there are: the last definition of each name, for whoever serves them. */
import type { JsMsg } from 'nats';
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { PublishedSweep, Withdrawal } from '../bus';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { messagesOf } from './follow';
import { broughtSubject, SWEEPS, sweepSubject } from './subjects';

export class NatsSweeps {
  /** The last message that was followed. */
  private seen = 0;

  constructor(private readonly link: NatsLink) {}

  async publish({ definition, by }: Omit<PublishedSweep, 'since'>): Promise<void> {
    const { name } = definition.sweep.metadata;
    const subject = by === 'owner' ? sweepSubject(name) : broughtSubject(name);
    await this.put(name, subject, { definition: encodeDefinition(definition) });
  }

  /** Takes the place of what the owner said before. */
  async withdraw({ withdrawn }: Withdrawal): Promise<void> {
    await this.put(withdrawn, sweepSubject(withdrawn), { withdrawn: true });
  }

  /** Whether there is more than was followed so far. */
  async isBehind(): Promise<boolean> {
    const manager = await this.link.connection.jetstreamManager({ checkAPI: false, timeout: ANSWER_WITHIN });
    return (await manager.streams.info(SWEEPS)).state.last_seq > this.seen;
  }

  private async put(name: string, subject: string, content: object): Promise<void> {
    const text = JSON.stringify(content);
    const stream = this.link.connection.jetstream({ timeout: ANSWER_WITHIN });
    await patiently(this.link, `sweep ${name}`, text.length, () => stream.publish(subject, text));
  }

  /**
   * All that there are, and then each as it is published, until the signal: in the order in which NATS took them, whatever
   * the clocks of those who published say. What is no sweep is passed over, and said.
   */
  async *follow(signal: AbortSignal): AsyncGenerator<PublishedSweep | Withdrawal> {
    this.seen = 0;
    for await (const message of messagesOf(this.link, SWEEPS, {}, signal)) {
      this.seen = message.seq;
      const sweep = parse(message);
      if (sweep instanceof Error) this.link.say(`${message.subject}: no sweep: ${sweep.message}`);
      else yield sweep;
    }
  }
}

function parse(message: JsMsg): PublishedSweep | Withdrawal | Error {
  try {
    const content = (JSON.parse(message.string()) ?? {}) as Record<'definition' | 'withdrawn', unknown>;
    const { definition: text } = content;
    const owned = message.subject.slice(sweepSubject('').length);
    if (content.withdrawn === true && message.subject === sweepSubject(owned)) return { withdrawn: owned };
    if (typeof text !== 'string') throw new Error('it has no definition');
    const definition = decodeDefinition(text);
    const { name } = definition.sweep.metadata;
    const by = message.subject === sweepSubject(name) ? 'owner' : 'trainer';
    if (by === 'trainer' && message.subject !== broughtSubject(name)) throw new Error(`it is named ${name}`);
    return { definition, by, since: message.info.timestampNanos / 1e6 };
  } catch (error) {
    return error as Error;
  }
}
