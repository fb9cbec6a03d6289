/** How the image is run. The Dockerfile says the same; test/k8s/image.test.ts compares them. */
import { description, license, version } from '../../package.json';
import type { Kind } from '../../trainer/engine/tfjs/install/place';

/** @param tfjs the TensorFlow that is in it, if any */
export const nameOf = (tfjs?: Kind): string => `prunesweep:${version}${tfjs === undefined ? '' : `-tfjs-${tfjs}`}`;

export const RUN = {
  /** `nonroot` in etc/passwd; numbers, as Kubernetes has to see that it is not root. */
  user: '65532:65532',
  workingFolder: '/app',
  /** Node is process 1 and gets the signals itself: there is no shell in between, and none in the image. */
  entrypoint: ['/usr/bin/node', '/app/dist/cli.js'],
  env: { PATH: '/usr/bin', NODE_ENV: 'production' } as Record<string, string>,
  labels: {
    'org.opencontainers.image.title': 'prunesweep',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': license,
    'org.opencontainers.image.description': description,
  } as Record<string, string>,
};

/** Where TensorFlow is looked for: in the cache folder of whoever runs the image. */
const CACHE_FOLDER = '/var/cache';
export const TFJS_FOLDER = `${CACHE_FOLDER}/prunesweep/tfjs`.slice(1);

export const envOf = (tfjs?: Kind): Record<string, string> =>
  tfjs === undefined ? RUN.env : { ...RUN.env, XDG_CACHE_HOME: CACHE_FOLDER };
