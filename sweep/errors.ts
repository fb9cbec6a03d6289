/** One error class a cause, and the exit code that a process ends with for it (sysexits.h). */

export const USAGE_EXIT = 64;
const DATA_EXIT = 65;
const UNAVAILABLE_EXIT = 69;
const DISK_EXIT = 74;

/** The user's file is wrong: exit 65. One line a problem, each with field, value and mend. */
export class SpecError extends Error {
  readonly exitCode = DATA_EXIT;
  override readonly name = 'SpecError';
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
  }
}

/** Data (IDX files, checkpoints, ledgers) cannot be what it says it is: exit 65. */
export class DataError extends Error {
  readonly exitCode = DATA_EXIT;
  override readonly name = 'DataError';
}

/** A pod has no GPU though its sweep asks for one: exit 65, as trying again on the same node does not mend it. */
export class NoGpuError extends Error {
  readonly exitCode = DATA_EXIT;
  override readonly name = 'NoGpuError';
}

/** Wrong usage of the command line, or of a folder that is in use: exit 64. */
export class UsageError extends Error {
  readonly exitCode = USAGE_EXIT;
  override readonly name = 'UsageError';
}

/** Something that is needed and not part of this program (a library, a compiler, the network) is not there: exit 69. */
export class UnavailableError extends Error {
  readonly exitCode = UNAVAILABLE_EXIT;
  override readonly name = 'UnavailableError';
}

/** The disk fails (full, read-only, not permitted): exit 74. */
export class DiskError extends Error {
  readonly exitCode = DISK_EXIT;
  override readonly name = 'DiskError';
}
