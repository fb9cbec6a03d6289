/**
 * Lineages at work beside each other, each unaware of the others: when all of them wait for the engine, those that wait for
 * the same are served together.
 */
import type { Engine, Fit, FitState, Measurement } from '../engine';
import { type EvaluationRequest, evaluationKey, fitKey, type Outcome } from './index';

/** What a pack asks of its engine: `TfjsEngine` is one. */
export interface EngineOfMany {
  readonly name: string;
  fitTogether(fits: readonly Fit[]): Outcome<FitState>[];
  evaluateTogether(requests: readonly EvaluationRequest[]): Outcome<Measurement>[];
}

/** One lineage's way to the engine. */
export interface Member extends Engine {
  /** To be called when the lineage is done or has failed: the others wait for it no longer. */
  leave(): void;
}

interface Waiting {
  key: string;
  /** The highest is served first. */
  rank: number;
  asked: unknown;
  settle(outcome: Outcome<unknown>): void;
  /** Answers all of this key. */
  together(asked: readonly unknown[]): Outcome<unknown>[];
}

export class Pack {
  private waiting: Waiting[] = [];
  private members = 0;

  constructor(private readonly engine: EngineOfMany) {}

  /** All join before the first asks for anything. */
  join(): Member {
    this.members++;
    const { engine } = this;
    return {
      name: engine.name,
      fit: (fit) =>
        this.ask(`fit ${fitKey(fit)}`, fit.settings.epochs, fit, (fits: readonly Fit[]) => engine.fitTogether(fits)),
      evaluate: (sizes, parameters, subset, options = {}) => {
        const asked = { sizes, parameters, subset, options };
        const key = `evaluate ${evaluationKey(asked)}`;
        return this.ask(key, Number.POSITIVE_INFINITY, asked, (all: readonly EvaluationRequest[]) =>
          engine.evaluateTogether(all),
        );
      },
      leave: () => {
        this.members--;
        this.serveIfAllWait();
      },
    };
  }

  private ask<Asked, Answer>(
    key: string,
    rank: number,
    asked: Asked,
    together: (asked: readonly Asked[]) => Outcome<Answer>[],
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<unknown>) =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value as Answer);
      // Those of one key ask for the same, and so of one type.
      this.waiting.push({ key, rank, asked, settle, together: (all) => together(all as Asked[]) });
      this.serveIfAllWait();
    });
  }

  /**
   * One kind of request at a time, the rest wait for more of their kind: first evaluations, which are short, then the longest
   * training. It is the dense one, and so lineages that were stopped at different places come together.
   */
  private serveIfAllWait(): void {
    if (this.waiting.length === 0 || this.waiting.length < this.members) return;
    const groups = [...Map.groupBy(this.waiting, ({ key }) => key).values()];
    const [first] = groups.sort((a, b) => b[0]!.rank - a[0]!.rank || b.length - a.length);
    this.waiting = this.waiting.filter((request) => !first!.includes(request));
    let outcomes: Outcome<unknown>[];
    try {
      outcomes = first![0]!.together(first!.map(({ asked }) => asked));
    } catch (error) {
      outcomes = first!.map(() => ({ error }));
    }
    for (const [i, { settle }] of first!.entries()) settle(outcomes[i]!);
  }
}
