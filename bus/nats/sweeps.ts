/** The sweeps that there are: the last definition of each name, for whoever serves them. */
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { SweepDefinition } from '../../sweep/spec';
import { ANSWER_WITHIN, type NatsLink, patiently } from './connect';
import { SWEEPS, sweepSubject } from './subjects';

/** A definition and where it is from. */
export interface PublishedSweep {
  definition: SweepDefinition;
  /** A person or the controller said so, or a trainer brought it along. */
  by: 'owner' | 'trainer';
  /** In ms since 1970. */
  since: number;
}

export class NatsSweeps {
  constructor(private readonly link: NatsLink) {}

  async publish({ definition, ...rest }: PublishedSweep): Promise<void> {
    const { name } = definition.sweep.metadata;
    const text = JSON.stringify({ ...rest, definition: encodeDefinition(definition) });
    const stream = this.link.connection.jetstream({ timeout: ANSWER_WITHIN });
    await patiently(this.link, `sweep ${name}`, text.length, () => stream.publish(sweepSubject(name), text));
  }

  /** All that there are, and then each as it is published. What is no sweep is passed over, and said. */
  async *follow(): AsyncGenerator<PublishedSweep> {
    const consumer = await this.link.connection.jetstream().consumers.get(SWEEPS, {});
    for await (const message of await consumer.consume()) {
      try {
        const sweep = JSON.parse(message.string()) as Omit<PublishedSweep, 'definition'> & { definition: string };
        yield { ...sweep, definition: decodeDefinition(sweep.definition) };
      } catch (error) {
        this.link.say(`${message.subject}: no sweep: ${(error as Error).message}`);
      }
    }
  }
}
