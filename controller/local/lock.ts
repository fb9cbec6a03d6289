/** One run at a time in a folder: a lock file that names the process that holds it. */
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withDiskErrors } from '../../bus/files';
import { UsageError } from '../../sweep/errors';

const LOCK_FILE = 'lock';

interface Holder {
  pid: number;
  /** When the process started, where the system tells: a later process may have the pid of a dead one. */
  started?: string;
}

/**
 * Of a process its state and when it started, in clock ticks from boot (proc(5), fields 3 and 22); undefined where there
 * is no /proc, or no such process.
 */
function readProcess(pid: number): { state: string; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = readProcess(pid);
  if (now === undefined) return true;
  // A killed process that its parent has not asked after yet, in a container perhaps never, still takes signals.
  const isDead = now.state === 'Z' || now.state === 'X';
  return !isDead && (started === undefined || now.started === started);
}

function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

/**
 * Takes hold of the folder until the returned function is called. A lock whose process is dead is taken over.
 * @throws UsageError that names the process that holds the folder
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, LOCK_FILE);
  const mine = `${path}.${process.pid}`;
  const started = readProcess(process.pid)?.started;
  const holder: Holder = { pid: process.pid, ...(started === undefined ? {} : { started }) };
  withDiskErrors(mine, () => writeFileSync(mine, `${JSON.stringify(holder)}\n`));
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        // The link is made whole or not at all, and only one process can make it.
        linkSync(mine, path);
        return () => rmSync(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const other = readHolder(path);
      if (other !== undefined && isAlive(other))
        throw new UsageError(
          `${folder}: process ${other.pid} is running a sweep in this folder; wait for it, end it, or choose another --out`,
        );
      removeStale(path, other);
    }
    throw new UsageError(`${path}: the lock could not be taken in 10 attempts; other processes are after it`);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Removes the lock of a dead process, unless another process has replaced it in the meantime. */
function removeStale(path: string, stale: Holder | undefined): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const removed = readHolder(aside);
  const replaced = removed !== undefined && (removed.pid !== stale?.pid || removed.started !== stale?.started);
  if (replaced) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process holds the folder by now, and the second one's lock is lost; its own link said EEXIST to us.
    }
  }
  unlinkSync(aside);
}
