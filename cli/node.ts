/** Imported first: says which Node is needed before anything else fails for want of it, and lets process 1 be ended. */
import { USAGE_EXIT } from '../sweep/errors';

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
if (major !== 22 || minor < 19) {
  process.stderr.write(
    `prunesweep needs Node 22.19 or a later 22, this is ${process.versions.node}; in a checkout \`npm run -s prunesweep -- ...\` uses the one that is installed with the package\n`,
  );
  process.exit(USAGE_EXIT);
}

// What process 1, as which a container's program runs, does not listen for, the kernel keeps from it. Commands that end in a way
// of their own listen later, and then this does nothing.
if (process.pid === 1)
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(code);
    });
