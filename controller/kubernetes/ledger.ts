/** What the ledger holds of each sweep, in the aggregator's words, and who tells it which sweeps there are. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PublishedSweep, Withdrawal } from '../../bus/bus';
import type { Word } from './decide';
import type { Plan } from './plan';

/** Says which sweeps there are, durably. */
export interface Sweeps {
  publish(sweep: Omit<PublishedSweep, 'since'>): Promise<void>;
  withdraw(withdrawal: Withdrawal): Promise<void>;
}

const MILLISECONDS_BETWEEN_LOOKS = 300;
const MILLISECONDS_FOR_AN_ANSWER = 5000;
/** An aggregator that starts again is back by then, and nothing is said. */
const MILLISECONDS_UNTIL_AWAY = 5000;
const MILLISECONDS_BETWEEN_PUBLICATIONS = 3000;
const MOST_FAILED_TRIALS = 20;

/** As /api/sweeps says it. */
interface Told {
  name: string;
  definition: string;
  complete: boolean;
  trials: { recorded: number; failed: number; running: number };
  timeLeftSeconds: number | null;
  best: { mean?: number; remainingWeights: number } | null;
  ledger: { ready: boolean; reason: string };
}

export class LedgerView {
  private told = new Map<string, Told>();
  private texts = new Map<string, string>();
  private etag = '';
  private lastHeard = Number.NEGATIVE_INFINITY;
  private isAway = true;
  private reason = 'the aggregator has not answered yet';
  private readonly published = new Map<string, { id: string; time: number }>();

  constructor(
    private readonly url: string,
    private readonly sweeps: Sweeps,
    /** Called with the name of a sweep of which there is something new, undefined for all. */
    private readonly changed: (sweep: string | undefined) => void,
    private readonly say: (line: string) => void,
  ) {}

  /** Looks again and again, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look().catch((error: Error) => {
        const cause = (error.cause as Error | undefined)?.message;
        this.reason = `the aggregator at ${this.url} does not answer (${cause ?? error.message})`;
        if (performance.now() - this.lastHeard > MILLISECONDS_UNTIL_AWAY) this.setAway(true);
      });
      await sleep(MILLISECONDS_BETWEEN_LOOKS);
    }
  }

  private async look(): Promise<void> {
    const answer = await this.ask('/api/sweeps', { 'if-none-match': this.etag });
    this.lastHeard = performance.now();
    this.setAway(false);
    if (answer.status === 304) return;
    const told = (await answer.json()) as Told[];
    this.etag = answer.headers.get('etag') ?? '';
    const texts = new Map(told.map((sweep) => [sweep.name, JSON.stringify(sweep)]));
    this.told = new Map(told.map((sweep) => [sweep.name, sweep]));
    const before = this.texts;
    this.texts = texts;
    for (const name of new Set([...before.keys(), ...texts.keys()]))
      if (before.get(name) !== texts.get(name)) this.changed(name);
  }

  private async ask(path: string, headers: Record<string, string> = {}): Promise<Response> {
    const answer = await fetch(`${this.url}${path}`, {
      headers,
      signal: AbortSignal.timeout(MILLISECONDS_FOR_AN_ANSWER),
    });
    if (!answer.ok && answer.status !== 304) throw new Error(`${path}: HTTP ${answer.status}`);
    return answer;
  }

  private setAway(isAway: boolean): void {
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    this.say(isAway ? this.reason : 'the aggregator answers');
    this.changed(undefined);
  }

  async wordOf(name: string, { definitionId }: Plan): Promise<Word> {
    if (this.isAway) return { kind: 'away', reason: this.reason };
    const told = this.told.get(name);
    if (told === undefined || told.definition !== definitionId) return { kind: 'strange' };
    if (!told.ledger.ready)
      return { kind: 'away', reason: `the aggregator does not know the ledger's end: ${told.ledger.reason}` };
    const { recorded, failed, running } = told.trials;
    const { best, timeLeftSeconds } = told;
    return {
      ...{ kind: 'known', recorded, failed, running, isComplete: told.complete },
      ...(best?.mean === undefined ? {} : { best: `${(100 * best.mean).toFixed(2)} % at ${best.remainingWeights}` }),
      ...(timeLeftSeconds === null ? {} : { timeLeft: duration(timeLeftSeconds) }),
      failedTrials: failed === 0 ? [] : await this.failedTrials(name),
    };
  }

  private async failedTrials(name: string): Promise<{ trial: string; reason: string }[]> {
    const answer = await this.ask(`/api/sweeps/${name}/trials?state=failed&limit=${MOST_FAILED_TRIALS}`);
    const { trials } = (await answer.json()) as { trials: { id: string; failure: string | null }[] };
    return trials.map(({ id, failure }) => ({ trial: id, reason: failure ?? '' }));
  }

  /** Tells the aggregator of the sweep as it is now; returns at once, and is asked again while it does not know it. */
  publish({ definition, definitionId }: Plan): void {
    const { name } = definition.sweep.metadata;
    const now = performance.now();
    const last = this.published.get(name);
    if (last?.id === definitionId && now - last.time < MILLISECONDS_BETWEEN_PUBLICATIONS) return;
    this.published.set(name, { id: definitionId, time: now });
    this.sweeps
      .publish({ definition, by: 'owner' })
      .catch((error: Error) => this.say(`sweep ${name} could not be published: ${error.message}`));
  }

  /** Resolves when it is sure that nobody will show the sweep. */
  async withdraw(name: string): Promise<void> {
    this.published.delete(name);
    const late = sleep(MILLISECONDS_FOR_AN_ANSWER, undefined, { ref: false }).then(() => {
      throw new Error('NATS does not take the withdrawal of its table');
    });
    await Promise.race([this.sweeps.withdraw({ withdrawn: name }), late]);
  }
}

/** `45s`, `12m`, `2h5m`, as kubectl writes durations. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)}s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes}m` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
