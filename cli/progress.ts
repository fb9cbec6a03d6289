/** The line that a run shows while it works. */
import type { Progress } from '../bus/bus';
import type { Lineage, Trial } from '../sweep/trial';
import { type DataSize, denseSeconds, trialSeconds } from '../trainer/work';

/** 0:09, 12:34, 3:00:00. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** The dense network of a lineage, by the lineage's id, or a trial, by its own. */
interface Step {
  lineage: LineageWork;
  seconds: number;
  /** 0 to 1. */
  done: number;
}

interface LineageWork {
  dense: Step | undefined;
  /** Expected seconds that are left. */
  left: number;
}

/** How long the expectation is believed before what was measured outweighs it: a run begins slowly. */
const PRIOR_SECONDS = 5;

/**
 * How much is left, from what the steps were expected to take and what those done so far did take. Steps that were
 * done before this run began (checkpoints) count as work that is gone, not as work that was quick.
 */
export class TimeLeft {
  private readonly lineages: LineageWork[] = [];
  private readonly steps = new Map<string, Step>();
  /** Expected seconds of the work that was done in this run. */
  private earned = 0;

  /** @param began seconds, on the clock of `left` */
  constructor(
    lineages: readonly Lineage[],
    isDone: (trial: Trial) => boolean,
    data: DataSize,
    private readonly workers: number,
    private readonly began: number,
  ) {
    for (const { id, content, sizes, chains } of lineages) {
      const lineage: LineageWork = { dense: undefined, left: 0 };
      const add = (key: string, seconds: number): Step => {
        const step = { lineage, seconds, done: 0 };
        this.steps.set(key, step);
        lineage.left += seconds;
        return step;
      };
      lineage.dense = add(id, denseSeconds(content.training, sizes, data));
      for (const trial of chains.flat()) if (!isDone(trial)) add(trial.id, trialSeconds(trial.content, sizes, data));
      this.lineages.push(lineage);
    }
  }

  /** @param share of the step that is done, of which `gained` was in this run */
  advance(key: string, share: number, gained: number): void {
    const step = this.steps.get(key);
    if (step === undefined) return;
    this.earned += step.seconds * Math.max(0, Math.min(gained, share - step.done));
    this.finish(step, share);
    const { dense } = step.lineage;
    if (dense !== undefined && dense !== step) this.finish(dense, 1);
  }

  private finish(step: Step, share: number): void {
    if (share <= step.done) return;
    step.lineage.left -= step.seconds * (share - step.done);
    step.done = share;
  }

  /** Seconds. */
  left(now: number): number {
    const expected = this.lineages.map(({ left }) => left);
    const total = expected.reduce((sum, seconds) => sum + seconds, 0);
    const slowness = ((now - this.began) * this.workers + PRIOR_SECONDS) / (this.earned + PRIOR_SECONDS);
    // No sooner than the longest lineage, which one worker alone does.
    const longest = expected.reduce((most, seconds) => Math.max(most, seconds), 0);
    return Math.max(total / this.workers, longest) * slowness;
  }
}

/** Writes lines over each other on a terminal; elsewhere one every few seconds, so that a log stays readable. */
export class StatusLine {
  private shown = '';
  private lastWritten = 0;

  constructor(
    private readonly stream: NodeJS.WriteStream,
    private readonly secondsBetweenLines = 5,
  ) {}

  show(line: string): void {
    if (line === this.shown) return;
    this.shown = line;
    if (this.stream.isTTY) {
      const width = this.stream.columns || 80;
      this.stream.write(`\r\u001b[2K${line.length < width ? line : `${line.slice(0, width - 2)}…`}`);
      return;
    }
    const now = performance.now() / 1000;
    if (this.lastWritten > 0 && now - this.lastWritten < this.secondsBetweenLines) return;
    this.lastWritten = now;
    this.stream.write(`${line}\n`);
  }

  /** A line of its own, above the status. */
  say(line: string): void {
    if (this.stream.isTTY) this.stream.write('\r\u001b[2K');
    this.stream.write(`${line}\n`);
  }

  clear(): void {
    if (this.stream.isTTY && this.shown !== '') this.stream.write('\r\u001b[2K');
    this.shown = '';
  }
}

const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;

/** What matters first: a narrow terminal cuts off the end. */
export function progressText(news: Progress, trials: { recorded: number; total: number }, left: number): string {
  const { network, seed, epoch, epochs, accuracy, step } = news;
  return [
    `${trials.recorded}/${trials.total} trials, ${clock(left)} left`,
    `${network} seed ${seed}`,
    `epoch ${epoch}/${epochs}`,
    `${percent(accuracy)} train accuracy`,
    step,
  ].join(' · ');
}
