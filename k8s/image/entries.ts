/** Files and folders of the image, before they are a tar or a folder. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Entry {
  /** Without a leading slash. */
  path: string;
  mode: number;
  /** Nothing for a folder. */
  content?: { file: string } | { text: string };
}

export const folder = (path: string, mode = 0o755): Entry => ({ path, mode });
export const text = (path: string, content: string): Entry => ({ path, mode: 0o644, content: { text: content } });

/** The modes of a checkout depend on who made it; all that counts is what can be executed. */
export const copy = (path: string, file: string): Entry => ({
  ...{ path, mode: (statSync(file).mode & 0o100) === 0 ? 0o644 : 0o755, content: { file } },
});

/** @returns the entries with every folder that they lie in, in the order of their paths, a folder before what is in it */
export function inOrder(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const { path } of entries)
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1))
      all.set(path.slice(0, end), folder(path.slice(0, end)));
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Paths of the files below a folder, relative to it; the node_modules directly in it are left out, and npm's links to what
 * can be started.
 *
 * @throws Error at a link, which would lead out of the image
 */
export function filesBelow(root: string, inside = ''): string[] {
  return readdirSync(join(root, inside), { withFileTypes: true }).flatMap((found) => {
    const path = join(inside, found.name);
    if (path === 'node_modules' || found.name === '.bin') return [];
    if (found.isDirectory()) return filesBelow(root, path);
    if (!found.isFile())
      throw new Error(`${join(root, path)}: a link, or no file; install the packages again (npm ci)`);
    return [path];
  });
}
