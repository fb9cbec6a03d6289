/** The sweeps that there are: the last definition of each name, for whoever serves them. */
import type { JsMsg } from 'nats';
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { PublishedSweep } from '../bus';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { messagesOf } from './follow';
import { broughtSubject, SWEEPS, sweepSubject } from './subjects';

export class NatsSweeps {
  constructor(private readonly link: NatsLink) {}

  async publish({ definition, by, since }: PublishedSweep): Promise<void> {
    const { name } = definition.sweep.metadata;
    const text = JSON.stringify({ since, definition: encodeDefinition(definition) });
    const stream = this.link.connection.jetstream({ timeout: ANSWER_WITHIN });
    const subject = by === 'owner' ? sweepSubject(name) : broughtSubject(name);
    await patiently(this.link, `sweep ${name}`, text.length, () => stream.publish(subject, text));
  }

  /** All that there are, and then each as it is published, until the signal. What is no sweep is passed over, and said. */
  async *follow(signal: AbortSignal): AsyncGenerator<PublishedSweep> {
    for await (const message of messagesOf(this.link, SWEEPS, {}, signal)) {
      const sweep = parse(message);
      if (sweep instanceof Error) this.link.say(`${message.subject}: no sweep: ${sweep.message}`);
      else yield sweep;
    }
  }
}

function parse(message: JsMsg): PublishedSweep | Error {
  try {
    const { since, definition: text } = (JSON.parse(message.string()) ?? {}) as {
      since?: unknown;
      definition?: unknown;
    };
    if (typeof since !== 'number' || typeof text !== 'string') throw new Error('it has no definition, or no time');
    const definition = decodeDefinition(text);
    const { name } = definition.sweep.metadata;
    const by = message.subject === sweepSubject(name) ? 'owner' : 'trainer';
    if (by === 'trainer' && message.subject !== broughtSubject(name)) throw new Error(`it is named ${name}`);
    return { definition, by, since };
  } catch (error) {
    return error as Error;
  }
}
