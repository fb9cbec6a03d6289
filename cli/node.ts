/** Imported first: says which Node is needed before anything else fails for want of it. */
import { USAGE_EXIT } from '../sweep/errors';

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
if (major !== 22 || minor < 19) {
  process.stderr.write(
    `prunesweep needs Node 22.19 or a later 22, this is ${process.versions.node}; in a checkout \`npm run -s prunesweep -- ...\` uses the one that is installed with the package\n`,
  );
  process.exit(USAGE_EXIT);
}
