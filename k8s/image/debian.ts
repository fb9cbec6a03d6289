/** The shared libraries that native code needs, from the Debian that this runs on, and the packages they are of. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

export interface DebianPackage {
  name: string;
  version: string;
  architecture: string;
  /** What dpkg says of it. Scanners look for it in var/lib/dpkg/status.d. */
  status: string;
  /** Who wrote it, and its licence. */
  copyright: string;
}

/** `12`, of Debian 12. */
export const debianVersion = (): string | undefined =>
  /^VERSION_ID="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];

function output(program: string, ...args: string[]): string {
  try {
    // A library that happens to be preferred here is not for the image.
    return execFileSync(program, args, {
      ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } },
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error(
        `${program}: not found; the image is made on Debian or Ubuntu, elsewhere use k8s/image/Dockerfile`,
      );
    throw error;
  }
}

/**
 * @param binaries programs and shared objects
 * @returns paths of all that the loader loads for them from the system, itself included
 * @throws Error with the library that is missing
 */
export function librariesOf(binaries: readonly string[]): string[] {
  const found = new Set<string>();
  for (const binary of binaries)
    for (const line of output('ldd', binary).split('\n')) {
      const missing = /^\s*(\S+) => not found/.exec(line)?.[1];
      if (missing !== undefined) throw new Error(`${binary}: needs ${missing}, which is not installed`);
      const path = /(\/\S+) \(0x/.exec(line)?.[1];
      if (path?.startsWith('/lib') || path?.startsWith('/usr/lib')) found.add(path);
    }
  return [...found].sort();
}

/** dpkg knows some files under /lib, others under /usr/lib, which are one folder. */
function ownerOf(library: string): string {
  const other = library.startsWith('/usr/') ? library.slice('/usr'.length) : `/usr${library}`;
  for (const path of [library, other])
    try {
      return output('dpkg-query', '--search', path).split(':')[0]!;
    } catch (error) {
      if ((error as { status?: number }).status !== 1) throw error;
    }
  throw new Error(`${library}: of no Debian package, so that its version and its licence are not known`);
}

function describe(name: string): DebianPackage {
  const format = ['Version', 'Architecture', 'Depends'].map((field) => `\${${field}}`).join('\\n');
  const said = output('dpkg-query', '--show', '-f', format, name);
  const [version = '', architecture = '', depends = ''] = said.split('\n');
  // A package may leave its copyright to another of the same source: libstdc++6 does to gcc-12-base.
  const holders = [name, ...depends.split(',').map((one) => one.trim().split(' ')[0]!)];
  const copyright = holders.map((holder) => `/usr/share/doc/${holder}/copyright`).find((file) => existsSync(file));
  if (copyright === undefined) throw new Error(`/usr/share/doc/${name}/copyright: missing; install ${name} again`);
  const status = output('dpkg-query', '--status', name);
  return { name, version, architecture, status, copyright: readFileSync(copyright, 'utf8') };
}

/** The packages that have these libraries, by name. */
export const packagesOf = (libraries: readonly string[]): DebianPackage[] =>
  [...new Set(libraries.map(ownerOf))].sort().map(describe);
