/** Progress: published and forgotten, followed from the last news of each lineage and pack. */
import { DeliverPolicy, type NatsConnection } from 'nats';
import { decodeDefinition, encodeDefinition } from '../../sweep/definition';
import type { PackNews, Progress } from '../bus';
import type { NatsLink } from './connect';
import { PROGRESS, PROGRESS_SUBJECTS, packSubject, progressSubject } from './subjects';

export type News = { kind: 'progress'; progress: Progress } | { kind: 'pack'; pack: PackNews };

/** News, and whether it was said before the follower came. */
export type HeardNews = News & { isOld: boolean };

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

  /** The last news of each lineage and pack, and then all that come, until the signal. What is no news is passed over. */
  async *follow(signal: AbortSignal): AsyncGenerator<HeardNews> {
    const manager = await this.connection.jetstreamManager({ checkAPI: false });
    // By the server's clock, as the messages' times are.
    const { ts = new Date().toISOString() } = await manager.streams.info(PROGRESS);
    const began = 1_000_000 * Date.parse(ts);
    const consumer = await this.connection
      .jetstream()
      .consumers.get(PROGRESS, { deliver_policy: DeliverPolicy.LastPerSubject, filterSubjects: [PROGRESS_SUBJECTS] });
    const messages = await consumer.consume();
    const stop = () => void messages.close();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    for await (const message of messages) {
      const news = parseNews(message.string());
      if (news !== undefined) yield { ...news, isOld: message.info.timestampNanos < began };
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
