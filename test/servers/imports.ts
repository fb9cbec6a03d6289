/** Which files of the project a file imports, and those import in turn. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const isFile = (path: string) => existsSync(path) && statSync(path).isFile();

function imports(file: string): string[] {
  const found = readFileSync(file, 'utf8').matchAll(/(?:from|import\(?|require\()\s*'(\.[^']*)'/g);
  return [...found].flatMap(([, name]) => {
    const path = resolve(dirname(file), name!);
    return [path, `${path}.ts`, `${path}/index.ts`].filter(isFile).slice(0, 1);
  });
}

/** Whether any of `files` is `target`, or imports it, however far down. */
export function isReached(target: string, files: readonly string[]): boolean {
  const seen = new Set<string>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (file === target) return true;
    if (seen.has(file) || !file.endsWith('.ts')) continue;
    seen.add(file);
    waiting.push(...imports(file));
  }
  return false;
}
