/** The line that a run shows while it works. */
import type { Progress } from '../bus/bus';
import type { Lineage, Trial } from '../sweep/trial';
import { type DataSize, denseSeconds, lineageSeconds, trialSeconds } from '../trainer/work';

/** 0:09, 12:34, 3:00:00. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

interface Step {
  seconds: number;
  /** 0 to 1. */
  done: number;
}

/**
 * How much is left, from what the steps were expected to take and what those done so far did take. Steps that were
 * done before this run began (checkpoints) count as work that is gone, not as work that was quick.
 */
export class TimeLeft {
  private readonly lineages = new Map<string, Map<string, Step>>();
  /** Expected seconds of the work that was done in this run. */
  private earned = 0;

  constructor(
    lineages: readonly Lineage[],
    isDone: (trial: Trial) => boolean,
    data: DataSize,
    private readonly workers: number,
    private readonly began: number,
  ) {
    for (const lineage of lineages) {
      const steps = new Map<string, Step>();
      if (lineageSeconds(lineage, isDone, data) > 0) {
        steps.set('dense', { seconds: denseSeconds(lineage.content.training, lineage.sizes, data), done: 0 });
        for (const trial of lineage.chains.flat())
          steps.set(trial.id, {
            seconds: trialSeconds(trial.content, lineage.sizes, data),
            done: isDone(trial) ? 1 : 0,
          });
      }
      this.lineages.set(lineage.id, steps);
    }
  }

  /** @param share of the step that is done, of which `gained` was in this run */
  advance(lineage: string, step: string, share: number, gained: number): void {
    const steps = this.lineages.get(lineage);
    const at = steps?.get(step);
    if (steps === undefined || at === undefined || share <= at.done) return;
    this.earned += at.seconds * Math.min(gained, share - at.done);
    at.done = share;
    if (step !== 'dense') steps.get('dense')!.done = 1;
  }

  /** Seconds, undefined until something was measured. */
  left(now: number): number | undefined {
    if (this.earned === 0) return undefined;
    const expected = [...this.lineages.values()].map((steps) =>
      [...steps.values()].reduce((sum, { seconds, done }) => sum + seconds * (1 - done), 0),
    );
    const total = expected.reduce((sum, seconds) => sum + seconds, 0);
    const slowness = ((now - this.began) * this.workers) / this.earned;
    // No sooner than the longest lineage, which one worker alone does.
    return Math.max(total / this.workers, ...expected) * slowness;
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
    if (this.stream.isTTY) this.stream.write('\r\u001b[2K');
  }
}

const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`;

export function progressText(
  news: Progress,
  trials: { recorded: number; total: number },
  left: number | undefined,
): string {
  const time = left === undefined ? '' : ` · ${clock(left)} left`;
  return `${trials.recorded}/${trials.total} trials · ${news.network} seed ${news.seed} · ${news.step} · epoch ${news.epoch}/${news.epochs} · ${percent(news.accuracy)} of training images right${time}`;
}
