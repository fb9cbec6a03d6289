/** Progress: published and forgotten, followed from the last news of each lineage and pack. */
import { DeliverPolicy, type NatsConnection } from 'nats';
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { PackNews, Progress } from '../bus';
import type { NatsLink } from './connect';
import { PROGRESS, packSubject, progressSubject } from './subjects';

export type News = { kind: 'progress'; progress: Progress } | { kind: 'pack'; pack: PackNews };

export class NatsNews {
  private readonly connection: NatsConnection;

  constructor({ connection }: NatsLink) {
    this.connection = connection;
  }

  /** Lost when NATS is away. */
  progress(news: Progress): void {
    this.publish(progressSubject(news.lineage), JSON.stringify(news));
  }

  /** Lost when NATS is away. */
  pack({ definition, ...news }: PackNews): void {
    const { name } = definition.sweep.metadata;
    this.publish(packSubject(name, news.pack), JSON.stringify({ ...news, definition: encodeDefinition(definition) }));
  }

  private publish(subject: string, text: string): void {
    if (!this.connection.isClosed()) this.connection.publish(subject, text);
  }

  /** The last news of each lineage and pack, and then all that come. What is no news is passed over. */
  async *follow(): AsyncGenerator<News> {
    const consumer = await this.connection.jetstream().consumers.get(PROGRESS, {
      deliver_policy: DeliverPolicy.LastPerSubject,
      filterSubjects: ['prunesweep.progress.>'],
    });
    for await (const message of await consumer.consume()) {
      const news = parseNews(message.string());
      if (news !== undefined) yield news;
    }
  }
}

function parseNews(text: string): News | undefined {
  try {
    const news = JSON.parse(text) as Progress | (Omit<PackNews, 'definition'> & { definition: string });
    if (!('definition' in news)) return { kind: 'progress', progress: news };
    return { kind: 'pack', pack: { ...news, definition: decodeDefinition(news.definition) } };
  } catch {
    return undefined;
  }
}
