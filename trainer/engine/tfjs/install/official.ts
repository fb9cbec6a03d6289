/** The native half of tfjs-node as its own script gets it: a download from where its makers keep it. */
import { join } from 'node:path';
import { UnavailableError } from '../../../../sweep/errors';
import { type Kind, PACKAGES } from './place';
import { run } from './run';

/** As the script reads them; it has no other settings of where to look. */
const host = () =>
  process.env.TFJS_NODE_BASE_URI ?? process.env.TFJS_NODE_CDN_STORAGE ?? 'https://storage.googleapis.com/';

/** The script waits without end for a host that does not answer. */
const ANSWERS_WITHIN = 5_000;
const ENDS_WITHIN = 30 * 60_000;

/**
 * @param root folder with the packages in `node_modules`
 * @param packageFolder of tfjs-node in it
 * @throws UnavailableError when the download is refused or fails
 */
export async function downloadNative(kind: Kind, root: string, packageFolder: string): Promise<void> {
  await fetch(host(), { method: 'HEAD', signal: AbortSignal.timeout(ANSWERS_WITHIN) }).catch((error: Error) => {
    const { cause } = error;
    throw new UnavailableError(`${host()}: ${cause instanceof Error ? cause.message || error.message : error.message}`);
  });
  const programs = join(root, 'node_modules', '.bin');
  await run(process.execPath, ['scripts/install.js', ...(kind === 'gpu' ? ['gpu', 'download'] : [])], {
    ...{ to: `download what ${PACKAGES[kind]} needs`, cwd: packageFolder, timeout: ENDS_WITHIN },
    env: { ...process.env, PATH: `${programs}:${process.env.PATH ?? ''}` },
  });
}
