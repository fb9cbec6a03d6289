/** Which sweep a name stands for, when several say so. */
import type { PublishedSweep } from '../bus/bus';

/**
 * What its owner (a person, the controller) says stands before what a trainer brought along: pods of before a change
 * may still be at work. Of two owners or two trainers the later one is right.
 */
export function supersedes(known: PublishedSweep | undefined, offered: PublishedSweep): boolean {
  if (known === undefined) return true;
  if (known.by !== offered.by) return offered.by === 'owner';
  return offered.since > known.since;
}
