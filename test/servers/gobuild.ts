/** Builds of servers from source: of the Go module beside this file, whose packages they share, or of a module by itself. */
import { createHash } from 'node:crypto';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inTemporaryFolder, run } from './source';

const MODULE = join(__dirname, 'go');
const pins = readFileSync(join(MODULE, 'go.mod'), 'utf8');

/** The version of a module that the module beside this file has, `1.34.4`. */
export const pinned = (path: string) => new RegExp(`^\\t${path} v(\\S+)`, 'm').exec(pins)![1]!;

/** Without inlining and what debuggers read a first build takes three quarters of the time; the same for all, to be shared. */
const FLAGS = ['-trimpath', '-gcflags=all=-l -dwarf=false'];

const environment = (more: NodeJS.ProcessEnv = {}) => ({ ...process.env, CGO_ENABLED: '0', ...more });
const leanly = (ldflags: readonly string[]) => `-ldflags=${['-s -w', ...ldflags].join(' ')}`;

const build = (path: string, program: string, ...flags: string[]) =>
  run('go', ['build', ...FLAGS, '-buildvcs=false', '-mod=readonly', ...flags, '-o', program, path], {
    ...{ cwd: MODULE, env: environment(), maxBuffer: 2 ** 26 },
  });

/**
 * Of a package of the module beside this file, `.` or what go.mod pins.
 * @param says what the linker sets, by the name of the variable
 */
export async function buildHere(path: string, program: string, says: Readonly<Record<string, string>>): Promise<void> {
  await build(path, program, leanly(Object.entries(says).map(([name, value]) => `-X ${name}=${value}`)));
}

export interface Amendment {
  module: string;
  file: string;
  from: string;
  to: string;
}

/** As buildHere, of a module of go.mod that compiles with the packages of the others once its `file` says `to` for `from`. */
export async function buildAmended(path: string, program: string, amendment: Amendment): Promise<void> {
  const { module, file, from, to } = amendment;
  await inTemporaryFolder(async (folder) => {
    const { stdout } = await run('go', ['mod', 'download', '-json', module], { cwd: MODULE, env: environment() });
    const copy = join(folder, 'module');
    // Go keeps modules read-only, and lets nothing take the place of a file there.
    await run('cp', ['-R', (JSON.parse(stdout) as { Dir: string }).Dir, copy]);
    await run('chmod', ['-R', 'u+w', copy]);
    const source = readFileSync(join(copy, file), 'utf8');
    if (!source.includes(from)) throw new Error(`${file} of ${module} does not say ${from}`);
    writeFileSync(join(copy, file), source.replaceAll(from, to));
    writeFileSync(join(folder, 'amended.mod'), `${pins}\nreplace ${module} => ${copy}\n`);
    copyFileSync(join(MODULE, 'go.sum'), join(folder, 'amended.sum'));
    await build(path, program, leanly([]), `-modfile=${join(folder, 'amended.mod')}`);
  });
}

/** Of a package whose module has other pins than these: `name@v1.2.3`, into the folder. */
export async function buildApart(path: string, folder: string): Promise<void> {
  await run('go', ['install', ...FLAGS, leanly([]), path], {
    ...{ env: environment({ GOBIN: folder }), maxBuffer: 2 ** 26 },
  });
}

/** Another one whenever a build would make something else. */
export function fingerprint(...more: string[]): string {
  const hash = createHash('sha256').update([...FLAGS, ...more].join(' '));
  for (const file of readdirSync(MODULE).sort()) hash.update(readFileSync(join(MODULE, file)));
  return hash.digest('hex').slice(0, 8);
}
