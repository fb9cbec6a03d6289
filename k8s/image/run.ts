/** How the image is run. The Dockerfile says the same; test/k8s/image.test.ts compares them. */
import { description, license, version } from '../../package.json';

export const NAME = `prunesweep:${version}`;

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
