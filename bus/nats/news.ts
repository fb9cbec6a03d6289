/** Progress: published and forgotten, followed from the last news of each lineage and pack. */
import { DeliverPolicy } from 'nats';
import type { HeardNews, News, PackNews, Progress } from '../bus';
import type { NatsLink } from './connect';
import { messagesOf } from './follow';
import { PROGRESS, PROGRESS_SUBJECTS, packSubject, progressSubject } from './subjects';

export class NatsNews {
  constructor(private readonly link: NatsLink) {}

  /** Lost when NATS is away. */
  progress(news: Progress): void {
    this.publish(progressSubject(news.lineage), JSON.stringify(news));
  }

  /** Lost when NATS is away. */
  pack(news: PackNews): void {
    this.publish(packSubject(news.sweep, news.pack), JSON.stringify(news));
  }

  private publish(subject: string, text: string): void {
    const { connection } = this.link;
    if (!connection.isClosed()) connection.publish(subject, text);
  }

  /** The last news of each lineage and pack, and then all that come, until the signal. What is no news is passed over. */
  async *follow(signal: AbortSignal): AsyncGenerator<HeardNews> {
    const manager = await this.link.connection.jetstreamManager({ checkAPI: false });
    // By the server's clock, as the messages' times are.
    const { ts = new Date().toISOString() } = await manager.streams.info(PROGRESS);
    const began = 1_000_000 * Date.parse(ts);
    const options = { deliver_policy: DeliverPolicy.LastPerSubject, filterSubjects: PROGRESS_SUBJECTS };
    for await (const message of messagesOf(this.link, PROGRESS, options, signal)) {
      const news = parseNews(message.string());
      if (news !== undefined) yield { ...news, isOld: message.info.timestampNanos < began };
    }
  }
}

function parseNews(text: string): News | undefined {
  try {
    const news = JSON.parse(text) as Progress | PackNews;
    if ('lineages' in news) return isPack(news) ? { kind: 'pack', pack: news } : undefined;
    return isProgress(news) ? { kind: 'progress', progress: news } : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: unknown) => typeof value === 'string';

const isPack = ({ sweep, pack, lineages }: PackNews): boolean =>
  [sweep, pack].every(isText) && Array.isArray(lineages) && lineages.every(isText);

const isProgress = ({ lineage, network, step, ...rest }: Progress): boolean =>
  [lineage, network, step].every(isText) &&
  [rest.seed, rest.epoch, rest.epochs, rest.loss, rest.accuracy].every((value) => typeof value === 'number');
