/** Programs that the installation runs, and what to say when one is not there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { UnavailableError } from '../../../../sweep/errors';

const execute = promisify(execFile);

const MENDS: Record<string, string> = {
  npm: 'install Node with its npm',
  python3: 'install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip)',
  gcc: 'install a compiler (Debian, Ubuntu: apt-get install g++)',
  'g++': 'install a compiler (Debian, Ubuntu: apt-get install g++)',
  strip: 'install binutils (Debian, Ubuntu: apt-get install binutils)',
  nm: 'install binutils (Debian, Ubuntu: apt-get install binutils)',
};

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Milliseconds. */
  timeout?: number;
  /** What the program was to do, for the error: `download tensorflow-cpu 2.9.1 from PyPI`. */
  to: string;
  /** What to do when it cannot. */
  mend?: string;
}

/** The lines of an error that say most: pip and g++ print hints and notes around them. */
function reasonIn(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /error|no module|not found|refused/i.test(line));
  return (errors.length > 0 ? errors.slice(0, 3) : lines.slice(-3)).map((line) => line.trim()).join('; ');
}

/** @returns what the program printed @throws UnavailableError */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { to, mend, ...others } = options;
  try {
    const { stdout } = await execute(program, args, { maxBuffer: 2 ** 28, ...others });
    return stdout;
  } catch (error) {
    const { code, stderr, killed, message } = error as NodeJS.ErrnoException & { stderr?: string; killed?: boolean };
    if (code === 'ENOENT')
      throw new UnavailableError(`cannot ${to}: ${program} is not installed; ${MENDS[program] ?? 'install it'}`);
    const why = killed === true ? `no end after ${options.timeout! / 1000} s` : reasonIn(stderr || message);
    const noPip = program === 'python3' && /No module named pip/.test(stderr ?? '');
    throw new UnavailableError(
      [`cannot ${to}: ${why}`, noPip ? MENDS.python3 : mend].filter((part) => part !== undefined).join('; '),
    );
  }
}
