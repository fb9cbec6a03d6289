/** Who is at work, from the news that they send: what is not said again for a while is no longer so. */
import type { PackNews, Progress } from '../bus/bus';

/** A pack speaks every 5 seconds. */
const BELIEVED_SECONDS = 15;

export interface LineageAtWork {
  pack: string;
  lineage: string;
  /** Absent until its first epoch is done. */
  progress?: Progress;
}

export class Live {
  private readonly packs = new Map<string, { news: PackNews; heard: number }>();
  private readonly progress = new Map<string, Progress>();

  /** @param now in seconds */
  hearPack(news: PackNews, now: number): void {
    this.packs.set(`${news.sweep}/${news.pack}`, { news, heard: now });
    this.forget(now);
  }

  hearProgress(news: Progress): void {
    this.progress.set(news.lineage, news);
  }

  /** The lineages of a sweep that are worked on. */
  atWork(sweep: string, now: number): LineageAtWork[] {
    return [...this.packs.values()]
      .filter(({ news, heard }) => news.sweep === sweep && now - heard < BELIEVED_SECONDS)
      .flatMap(({ news: { pack, lineages } }) =>
        lineages.map((lineage) => {
          const progress = this.progress.get(lineage);
          return { pack, lineage, ...(progress === undefined ? {} : { progress }) };
        }),
      );
  }

  private forget(now: number): void {
    for (const [key, { heard }] of this.packs) if (now - heard >= BELIEVED_SECONDS) this.packs.delete(key);
    const atWork = new Set([...this.packs.values()].flatMap(({ news }) => news.lineages));
    for (const lineage of this.progress.keys()) if (!atWork.has(lineage)) this.progress.delete(lineage);
  }
}
