/** Folds the ledger into the store and the boards, and knows how true they are at any moment. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HeardNews, Ledger, LedgerMessage, PublishedSweep, Withdrawal } from '../bus/bus';
import { accuracy } from '../sweep/cells';
import { encodeDefinition } from '../sweep/definition';
import { DiskError, UsageError } from '../sweep/errors';
import type { TrialRecord } from '../sweep/record';
import { Board } from './board';
import { Live } from './live';
import { type Fact, Store, StoreDamaged, type StoredMessage, toStore } from './store';

/** Where it all comes from. */
export interface Sources {
  ledger: Pick<Ledger, 'recorded' | 'follow' | 'position'>;
  news: { follow(signal: AbortSignal): AsyncIterable<HeardNews> };
  sweeps: {
    follow(signal: AbortSignal): AsyncIterable<PublishedSweep | Withdrawal>;
    isBehind(): Promise<boolean>;
  };
  /** Makes what is missing at the other side; called whenever the connection was made. */
  prepare(): Promise<void>;
  /** Calls back whenever what was known of the ledger's end may no longer be so. */
  onLost(listener: () => void): void;
}

/** Told what happens, and what is wrong. */
export interface Log {
  info(line: string): void;
  warn(line: string): void;
}

/** Messages that are taken in at once, and how long the first of them waits for others, in ms. */
const [BATCH, GATHER] = [5000, 50];
const MILLISECONDS_BETWEEN_CHECKS = 1000;
/** Checks at which there was more to follow and nothing came, before it is asked for anew. */
const CHECKS_WITHOUT_NEWS = 5;
const MILLISECONDS_BEFORE_ANOTHER_TRY = 500;

/** How long a page of records may take. */
const MILLISECONDS_FOR_RECORDS = 10_000;

/** What is in the ledger alone cannot be had now. */
class LedgerAway extends Error {
  readonly statusCode = 503;

  constructor() {
    super('records are in the ledger, which is away; ask again when NATS is back');
  }
}

const seconds = () => performance.now() / 1000;

export interface Readiness {
  /** Everything that was in the ledger when it was last found is in the table. */
  isReady: boolean;
  reason: string;
  /** Places of the ledger: folded, and the last one given out, when that is known. */
  folded: number;
  last?: number;
}

export class Aggregator {
  readonly live = new Live();
  readonly boards = new Map<string, Board>();
  /** Messages taken in by this process. */
  folded = 0;
  rebuilds = 0;
  private readonly stopped = new AbortController();
  private readonly ended = new Promise<void>((resolve) => {
    this.stopped.signal.addEventListener('abort', () => resolve());
  });
  /** Ends when the connection is lost, since no consumer is sure to survive its server. */
  private episode = new AbortController();
  /** The ledger's end, once it was asked for since the connection was last made. */
  private ledgerEnd: number | undefined;
  /** The end that must be reached before the table may be believed; undefined until it is known. */
  private target: number | undefined;
  private hasCaughtUp = false;
  /** When the first message was followed that is not in the table yet, in seconds, and how many there were before. */
  private behindSince: { time: number; folded: number } | undefined;
  /** The place up to which the boards have the ledger; the store's is ahead of it while a batch is taken in. */
  private inTable: number;
  private batch: StoredMessage[] = [];
  private timer: NodeJS.Timeout | undefined;
  private taking: Promise<void> = Promise.resolve();
  private failure: unknown;
  /** Names that stand for no sweep any more, by their owners' last word. */
  private readonly withdrawn = new Set<string>();
  private readonly listeners = new Set<() => void>();

  private constructor(
    private readonly sources: Sources,
    private readonly folder: string,
    private readonly log: Log,
    private current: Store,
  ) {
    this.inTable = current.position.last;
    sources.onLost(() => this.doubt());
  }

  /** Opens the store in a folder; what it has is served from the first moment, and is not ready before it is compared. */
  static async open(sources: Sources, folder: string, log: Log): Promise<Aggregator> {
    const store = await Store.open(folder, (line) => log.warn(line));
    const aggregator = new Aggregator(sources, folder, log, store);
    try {
      for (const sweep of await store.sweeps()) await aggregator.makeBoard(sweep);
    } catch (error) {
      if (!(error instanceof StoreDamaged)) throw error;
      await aggregator.makeAgain(`the store is damaged (${error.message})`);
    }
    return aggregator;
  }

  get store(): Store {
    return this.current;
  }

  get readiness(): Readiness {
    const folded = this.inTable;
    const place = { folded, ...(this.ledgerEnd === undefined ? {} : { last: this.ledgerEnd }) };
    if (this.ledgerEnd === undefined) return { isReady: false, reason: 'the ledger is away', ...place };
    if (!this.hasCaughtUp)
      return {
        isReady: false,
        reason: `${folded} of ${this.target} messages of the ledger are in the table`,
        ...place,
      };
    return { isReady: true, reason: 'the table is what the ledger says', ...place };
  }

  /**
   * The records of trials, as the ledger has them.
   * @throws LedgerAway
   */
  async recordsOf(trials: readonly string[]): Promise<Map<string, TrialRecord>> {
    if (this.ledgerEnd === undefined) throw new LedgerAway();
    const late = sleep(MILLISECONDS_FOR_RECORDS, undefined, { ref: false }).then(() => {
      throw new LedgerAway();
    });
    return Promise.race([this.sources.ledger.recorded(trials), late]);
  }

  /** @returns what takes the listener away again */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Works until it is stopped.
   * @throws DiskError or UsageError when the store cannot be kept
   */
  async run(): Promise<void> {
    await this.prepare();
    const loops = [this.followLedger(), this.watchLedger(), this.followSweeps(), this.followNews()];
    try {
      await Promise.all(loops);
    } finally {
      this.stop();
      await Promise.allSettled(loops);
      await this.taking.catch(() => {});
      this.store.close();
    }
  }

  /** Waits for NATS, but not after it was told to stop. */
  private async prepare(): Promise<void> {
    await Promise.race([this.sources.prepare(), this.ended]);
  }

  stop(): void {
    this.stopped.abort();
    this.episode.abort();
  }

  /** Makes the store again from the ledger, since it is damaged. */
  rebuild(error: StoreDamaged): void {
    this.failure ??= error;
    this.doubt();
  }

  private doubt(): void {
    this.ledgerEnd = undefined;
    this.target = undefined;
    this.hasCaughtUp = false;
    this.episode.abort();
    if (!this.stopped.signal.aborted) this.episode = new AbortController();
  }

  /** Does it again and again until it is stopped; errors of NATS are said and waited out. */
  private async forEver(what: string, action: () => Promise<void>): Promise<void> {
    let said = '';
    while (!this.stopped.signal.aborted)
      try {
        await action();
      } catch (error) {
        if (error instanceof DiskError || error instanceof UsageError) throw error;
        const line = `${what}: ${(error as Error).message}; trying again`;
        if (error instanceof StoreDamaged) this.rebuild(error);
        else if (line !== said) this.log.warn(line);
        said = line;
        await this.pause(MILLISECONDS_BEFORE_ANOTHER_TRY);
      }
  }

  private async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.stopped.signal }).catch(() => {});
  }

  private followLedger(): Promise<void> {
    return this.forEver('the ledger', async () => {
      const { signal } = this.episode;
      await this.dropBatch();
      const { failure } = this;
      this.failure = undefined;
      if (failure instanceof StoreDamaged) await this.makeAgain(`the store is damaged (${failure.message})`);
      else if (failure !== undefined) throw failure;
      await this.prepare();
      if (this.stopped.signal.aborted) return;
      await this.compare();
      for await (const message of this.sources.ledger.follow(this.store.position.last, signal))
        await this.take(message);
    });
  }

  /** Whether the store is a fold of this ledger, and how far; if it is not it is made again. */
  private async compare(): Promise<void> {
    const { store } = this;
    const { ledger, last, stamp } = await this.sources.ledger.position(store.position.last);
    const mine = store.position;
    const isEmpty = mine.last === 0;
    if (isEmpty && mine.ledger !== ledger) await store.begin(ledger);
    else if (mine.ledger !== ledger)
      await this.makeAgain(`this is another ledger: the store's was made ${mine.ledger}, this one ${ledger}`);
    else if (last < mine.last)
      await this.makeAgain(
        `the ledger went back from message ${mine.last} to ${last}, as after NATS was brought back from a copy: what came between is lost there, and its trials must be run again`,
      );
    else if (!isEmpty && stamp !== mine.stamp)
      await this.makeAgain(
        `message ${mine.last} of the ledger is another than it was, as after NATS was brought back from a copy: trials whose records are lost must be run again`,
      );
    if (this.store.position.ledger === '') await this.store.begin(ledger);
    this.ledgerEnd = last;
    this.target ??= last;
    this.noteProgress();
  }

  private watchLedger(): Promise<void> {
    let silent = { place: -1, checks: 0 };
    return this.forEver('the end of the ledger', async () => {
      await this.pause(MILLISECONDS_BETWEEN_CHECKS);
      // Before the first comparison there is nothing to watch.
      if (this.target === undefined) return;
      const { last: folded, stamp: known } = this.store.position;
      const { ledger, last, stamp } = await this.sources.ledger.position(folded).catch((error) => {
        // It does not answer, or its stream is gone, and is made by who follows it.
        this.doubt();
        throw error;
      });
      const isSame = ledger === this.store.position.ledger && last >= folded && (folded === 0 || stamp === known);
      if (!isSame) this.doubt();
      else if (this.target !== undefined) this.ledgerEnd = last;
      // What was sent into a connection that broke is lost, and a stream in which nothing happens does not show the gap.
      const hasMore = last > folded || (await this.sources.sweeps.isBehind());
      silent = { place: folded, checks: hasMore && folded === silent.place ? silent.checks + 1 : 0 };
      if (silent.checks < CHECKS_WITHOUT_NEWS) return;
      this.log.warn('NATS has more than it sends; asking for it anew');
      silent.checks = 0;
      this.doubt();
    });
  }

  private async take(message: LedgerMessage): Promise<void> {
    if (!this.hasCaughtUp) this.behindSince ??= { time: seconds(), folded: this.folded };
    this.batch.push(toStore(message));
    if (this.batch.length >= BATCH) {
      const before = this.taking;
      this.takeBatch();
      // One batch is written while the next is read, and no more: memory stays bounded.
      await before;
    } else this.timer ??= setTimeout(() => this.takeBatch(), GATHER);
  }

  private takeBatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { batch, store } = this;
    this.batch = [];
    this.inTurn(async () => {
      const after = store.position.last;
      const fresh = batch.filter(({ sequence }) => sequence > after);
      if (fresh.length === 0 || this.failure !== undefined || store !== this.store) return;
      await store.append(fresh);
      this.folded += fresh.length;
      const facts = fresh.map(({ entry }) => factOf(entry)).filter((fact) => fact !== undefined);
      for (const board of this.boards.values())
        for (const fact of facts)
          if (board.note(fact) && fact.kind === 'record' && this.hasCaughtUp) board.tick(seconds());
      this.inTable = fresh.at(-1)!.sequence;
      this.noteProgress();
    }).catch((error) => {
      this.failure ??= error;
      this.doubt();
    });
  }

  /** Whatever changes the store and the boards does so one after the other. */
  private inTurn(action: () => Promise<void>): Promise<void> {
    const mine = this.taking.then(action);
    this.taking = mine.catch(() => {});
    return mine;
  }

  private async dropBatch(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.taking;
    this.batch = [];
  }

  private noteProgress(): void {
    const last = this.inTable;
    if (this.ledgerEnd !== undefined) this.ledgerEnd = Math.max(this.ledgerEnd, last);
    if (this.target !== undefined && last >= this.target && !this.hasCaughtUp) this.catchUp();
    for (const listener of this.listeners) listener();
  }

  private catchUp(): void {
    this.hasCaughtUp = true;
    const { behindSince } = this;
    this.behindSince = undefined;
    if (behindSince === undefined) return;
    const messages = this.folded - behindSince.folded;
    this.log.info(`caught up: ${messages} messages of the ledger in ${(seconds() - behindSince.time).toFixed(2)} s`);
  }

  private async makeAgain(reason: string): Promise<void> {
    this.log.warn(
      `${reason}. The table is made again from the ledger; what the store held is kept beside it, as ....old`,
    );
    this.rebuilds++;
    this.hasCaughtUp = false;
    await this.inTurn(async () => {
      const sweeps = [...this.boards.values()].map(({ published }) => published);
      this.store.putAside();
      this.current = await Store.open(this.folder, (line) => this.log.warn(line));
      this.inTable = 0;
      for (const sweep of sweeps) {
        await this.store.putSweep(sweep);
        await this.makeBoard(sweep);
      }
    });
  }

  private async makeBoard(published: PublishedSweep): Promise<void> {
    const { name } = published.definition.sweep.metadata;
    this.boards.set(name, new Board(published, await this.store.board(name)));
  }

  private followSweeps(): Promise<void> {
    return this.forEver('the sweeps', async () => {
      const { signal } = this.episode;
      for await (const sweep of this.sources.sweeps.follow(signal))
        await ('withdrawn' in sweep ? this.forget(sweep) : this.learn(sweep));
    });
  }

  private async forget({ withdrawn: name }: Withdrawal): Promise<void> {
    this.withdrawn.add(name);
    if (!this.boards.has(name)) return;
    await this.inTurn(async () => {
      await this.store.dropSweep(name);
      this.boards.delete(name);
    });
    this.log.info(`sweep ${name} is withdrawn`);
    this.noteProgress();
  }

  private async learn(sweep: PublishedSweep): Promise<void> {
    const { definition, by } = sweep;
    const { name } = definition.sweep.metadata;
    const known = this.boards.get(name)?.published;
    // What its owner (a person, the controller) says stands before what a trainer brings along: pods of before a change, or
    // of a sweep that was withdrawn, may still start.
    if (by === 'trainer' && (known?.by === 'owner' || this.withdrawn.has(name))) return;
    this.withdrawn.delete(name);
    if (known !== undefined && encodeDefinition(known.definition) === encodeDefinition(definition)) {
      known.by = by;
      return;
    }
    const grown = { ...sweep, since: Math.min(sweep.since, known?.since ?? sweep.since) };
    await this.inTurn(async () => {
      await this.store.putSweep(grown);
      await this.makeBoard(grown);
    });
    this.log.info(
      `${known === undefined ? 'sweep' : 'changed sweep'} ${name}: ${this.boards.get(name)!.counts.total} trials`,
    );
    this.noteProgress();
  }

  private followNews(): Promise<void> {
    return this.forEver('the news', async () => {
      const { signal } = this.episode;
      for await (const news of this.sources.news.follow(signal)) {
        if (news.kind === 'progress') this.live.hearProgress(news.progress);
        else if (!news.isOld) this.live.hearPack(news.pack, seconds());
        for (const listener of this.listeners) listener();
      }
    });
  }
}

function factOf(entry: StoredMessage['entry']): Fact | undefined {
  switch (entry.kind) {
    case 'record':
      return { kind: 'record', trial: entry.record.id, accuracy: accuracy(entry.record) };
    case 'failure':
      return { kind: 'failure', trial: entry.failure.trial };
    case 'conflict':
      return { kind: 'conflict', trial: entry.trial };
    case 'poison':
      return undefined;
  }
}
