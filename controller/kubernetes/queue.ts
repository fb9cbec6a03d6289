/** A queue of names: a name is in it once, is worked on by one at a time, and after an error waits longer each time. */

const [FIRST_WAIT, LONGEST_WAIT] = [50, 30_000];

export class NameQueue {
  private readonly ready = new Set<string>();
  private readonly atWork = new Set<string>();
  private readonly waits = new Map<string, number>();
  private readonly timers = new Map<string, { timer: NodeJS.Timeout; due: number }>();
  private wake = () => {};

  get depth(): number {
    return this.ready.size;
  }

  add(name: string): void {
    this.ready.add(name);
    this.wake();
  }

  /** Adds it when the time has come; the sooner of two times holds. */
  addAfter(name: string, milliseconds: number): void {
    const due = performance.now() + milliseconds;
    const before = this.timers.get(name);
    if (before !== undefined && before.due <= due) return;
    clearTimeout(before?.timer);
    const timer = setTimeout(() => {
      this.timers.delete(name);
      this.add(name);
    }, milliseconds);
    this.timers.set(name, { timer, due });
  }

  /**
   * Works off the names as they come, until the signal.
   * @param work rejects when the name must be tried again
   * @returns when what was under way is done
   */
  async work(
    workers: number,
    work: (name: string) => Promise<void>,
    failed: (name: string, error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const under = new Set<Promise<void>>();
    signal.addEventListener('abort', () => this.wake());
    while (!signal.aborted) {
      const name = under.size < workers ? this.next() : undefined;
      if (name === undefined) {
        await new Promise<void>((wake) => {
          this.wake = wake;
        });
        continue;
      }
      const one = this.tryOne(name, work, failed).finally(() => {
        under.delete(one);
        this.wake();
      });
      under.add(one);
    }
    for (const { timer } of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    await Promise.all(under);
  }

  private next(): string | undefined {
    for (const name of this.ready)
      if (!this.atWork.has(name)) {
        this.ready.delete(name);
        return name;
      }
    return undefined;
  }

  private async tryOne(
    name: string,
    work: (name: string) => Promise<void>,
    failed: (name: string, error: unknown) => void,
  ): Promise<void> {
    this.atWork.add(name);
    try {
      await work(name);
      this.waits.delete(name);
    } catch (error) {
      const wait = this.waits.get(name) ?? FIRST_WAIT;
      this.waits.set(name, Math.min(2 * wait, LONGEST_WAIT));
      failed(name, error);
      this.addAfter(name, wait);
    } finally {
      this.atWork.delete(name);
    }
  }
}
