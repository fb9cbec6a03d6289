/** Tars whose bytes depend on nothing but paths, modes and contents. */
import { createReadStream, statSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { Entry } from './entries';

async function add(archive: Pack, { path, mode, content }: Entry): Promise<void> {
  const header = { name: path, mode, uid: 0, gid: 0, mtime: new Date(0) };
  if (content !== undefined && 'file' in content) {
    const sink = archive.entry({ ...header, type: 'file', size: statSync(content.file).size });
    return pipeline(createReadStream(content.file), sink);
  }
  const entry = { ...header, type: content === undefined ? ('directory' as const) : ('file' as const) };
  return new Promise((done, fail) => {
    archive.entry(entry, content?.text ?? '', (error) => (error ? fail(error) : done()));
  });
}

export function tarOf(entries: readonly Entry[]): Pack {
  const archive = pack();
  const fill = async () => {
    for (const entry of entries) await add(archive, entry);
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  return archive;
}
