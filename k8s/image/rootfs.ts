/** The image as a folder: what the Dockerfile copies. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Layer } from './image';

/** @param root is made; modes are set whatever the umask is */
export function writeRootfs(layers: readonly Layer[], root: string): void {
  mkdirSync(root, { recursive: true });
  for (const { path, mode, content } of layers.flatMap(({ entries }) => entries)) {
    const target = join(root, path);
    if (content === undefined) mkdirSync(target, { recursive: true });
    else if ('file' in content) copyFileSync(content.file, target);
    else writeFileSync(target, content.text);
    chmodSync(target, mode);
  }
}
