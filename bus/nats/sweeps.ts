/** The sweeps that there are: the last definition of each name, for whoever serves them. */
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { PublishedSweep } from '../bus';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { messagesOf } from './follow';
import { SWEEPS, sweepSubject } from './subjects';

export class NatsSweeps {
  constructor(private readonly link: NatsLink) {}

  async publish({ definition, ...rest }: PublishedSweep): Promise<void> {
    const { name } = definition.sweep.metadata;
    const text = JSON.stringify({ ...rest, definition: encodeDefinition(definition) });
    const stream = this.link.connection.jetstream({ timeout: ANSWER_WITHIN });
    await patiently(this.link, `sweep ${name}`, text.length, () => stream.publish(sweepSubject(name), text));
  }

  /** All that there are, and then each as it is published, until the signal. What is no sweep is passed over, and said. */
  async *follow(signal: AbortSignal): AsyncGenerator<PublishedSweep> {
    for await (const message of messagesOf(this.link, SWEEPS, {}, signal)) {
      try {
        const sweep = JSON.parse(message.string()) as Omit<PublishedSweep, 'definition'> & { definition: string };
        yield { ...sweep, definition: decodeDefinition(sweep.definition) };
      } catch (error) {
        this.link.say(`${message.subject}: no sweep: ${(error as Error).message}`);
      }
    }
  }
}
