/** `prunesweep tfjs`: gets what the tfjs engine runs on. */
import { installTfjs } from '../trainer/engine/tfjs/install/install';
import type { Kind } from '../trainer/engine/tfjs/install/place';

export async function tfjs(kind: Kind): Promise<void> {
  const { folder, isNew } = await installTfjs(kind, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`${isNew ? 'installed in' : 'is there already:'} ${folder}\n`);
}
