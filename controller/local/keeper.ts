/** Keeps the checkpoints of the lineages at work, beside their training: a slow store gets fewer of them, and holds nobody up. */
import type { CheckpointName, Checkpoints } from '../../bus/bus';

/** A pause of so many times what saving took: a twentieth of the time at most goes into it. */
const PAUSE = 19;

export class CheckpointKeeper {
  /** What is to be done, by what it replaces when it is overtaken. */
  private readonly waiting = new Map<string, () => Promise<void>>();
  private work: Promise<void> = Promise.resolve();
  private isWorking = false;
  private hurry: () => void = () => {};
  private isDraining = false;

  /** @param failed told when a checkpoint cannot be kept; nothing more is then */
  constructor(
    private readonly store: Checkpoints,
    private readonly failed: (error: unknown) => void,
  ) {}

  save(lineage: string, name: CheckpointName, bytes: Uint8Array): void {
    this.add(`${lineage}/${name}`, () => this.store.save(lineage, name, bytes));
  }

  /** Forgets a lineage's checkpoints once what they led to is durable. */
  remove(lineage: string, durable: () => Promise<void>): void {
    for (const key of this.waiting.keys()) if (key.startsWith(`${lineage}/`)) this.waiting.delete(key);
    this.add(lineage, async () => {
      await durable();
      await this.store.remove(lineage);
    });
  }

  /** Resolves when nothing is left to do. */
  async drained(): Promise<void> {
    this.isDraining = true;
    this.hurry();
    await this.work;
    this.isDraining = false;
  }

  private add(key: string, action: () => Promise<void>): void {
    this.waiting.delete(key);
    this.waiting.set(key, action);
    if (this.isWorking) return;
    this.isWorking = true;
    this.work = this.workOff().catch(this.failed);
  }

  private async workOff(): Promise<void> {
    for (let next = this.first(); next !== undefined; next = this.first()) {
      const began = performance.now();
      await next();
      if (!this.isDraining) await this.pause(PAUSE * (performance.now() - began));
    }
    this.isWorking = false;
  }

  private first(): (() => Promise<void>) | undefined {
    for (const [key, action] of this.waiting) {
      this.waiting.delete(key);
      return action;
    }
    return undefined;
  }

  private async pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
