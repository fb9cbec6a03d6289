/** What is in the image, layer by layer. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { HOW_TO_INSTALL, type Kind, keptFolder } from '../../trainer/engine/tfjs/install/place';
import { type DebianPackage, librariesOf, packagesOf } from './debian';
import { copy, type Entry, filesBelow, folder, inOrder, text } from './entries';
import { isNeeded, type Package, productionPackages } from './packages';
import { RUN, TFJS_FOLDER } from './run';

export interface Layer {
  name: string;
  entries: Entry[];
}

export interface Image {
  /** What changes seldom comes first, so that a new version is a small download. */
  layers: Layer[];
  packages: Package[];
  debian: DebianPackage[];
  /** Version of Node in it. */
  node: string;
}

const APP = RUN.workingFolder.slice(1);
const [UID, GID] = RUN.user.split(':');

/**
 * @param root the checkout, built (dist/) and with its packages installed
 * @param tfjs the TensorFlow that is in it, as `prunesweep tfjs` has installed it here
 */
export function imageOf(root: string, tfjs?: Kind): Image {
  const packages = productionPackages(root);
  const inPackages = packages.flatMap(({ path, files }) => files.map((file) => join(path, file)));
  const native = inPackages.filter((path) => /\.(node|so)$/.test(path)).map((path) => join(root, path));
  const node = join(root, 'node_modules/node/bin/node');
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1);
  const tensorflow = tfjs === undefined ? [] : tensorflowOf(tfjs);
  const libraries = librariesOf([node, ...native, ...bindingOf(tensorflow)]);
  const debian = packagesOf(libraries);
  const toApp = (path: string) => copy(join(APP, path), join(root, path));
  const layers = [
    { name: 'system', entries: systemOf(node, version, libraries, debian) },
    ...(tfjs === undefined ? [] : [{ name: 'tfjs', entries: tensorflow }]),
    { name: 'packages', entries: inPackages.map(toApp) },
    { name: 'program', entries: programFiles(root).map(toApp) },
  ];
  return {
    ...{ layers: layers.map(({ name, entries }) => ({ name, entries: inOrder(entries) })) },
    ...{ packages, debian, node: version },
  };
}

/** @throws Error when it is not installed */
function tensorflowOf(kind: Kind): Entry[] {
  const kept = keptFolder(kind);
  const modules = join(kept, 'node_modules');
  if (!existsSync(modules)) throw new Error(`--tfjs ${kind}: not installed; ${HOW_TO_INSTALL(kind)}`);
  const place = join(TFJS_FOLDER, basename(kept));
  // Links to what npm can start; nothing is started there.
  const packages = readdirSync(modules).filter((name) => name !== '.bin' && name !== '.package-lock.json');
  const files = packages.flatMap((name) => filesBelow(join(modules, name)).map((file) => join(name, file)));
  return [
    copy(join(place, 'package.json'), join(kept, 'package.json')),
    ...files
      .filter((file) => isNeeded('', file))
      .map((file) => copy(join(place, 'node_modules', file), join(modules, file))),
  ];
}

/** The native half, with the libraries beside it that it names. */
const bindingOf = (entries: readonly Entry[]): string[] =>
  entries.flatMap(({ content }) =>
    content !== undefined && 'file' in content && content.file.endsWith('.node') ? [content.file] : [],
  );

function systemOf(node: string, version: string, libraries: string[], debian: DebianPackage[]): Entry[] {
  return [
    copy(RUN.entrypoint[0]!.slice(1), node),
    // At the very paths at which the loader finds them here, so that there are neither links nor a cache.
    ...libraries.map((library) => copy(library.slice(1), library)),
    ...debian.flatMap(({ name, status, copyright }) => [
      text(`var/lib/dpkg/status.d/${name}`, status),
      text(`usr/share/doc/${name}/copyright`, copyright),
    ]),
    text(
      'usr/share/doc/node/copyright',
      `Node.js ${version}: the MIT licence, and those of what is in it:\nhttps://github.com/nodejs/node/blob/v${version}/LICENSE\n`,
    ),
    copy('etc/os-release', '/etc/os-release'),
    text('etc/passwd', `root:x:0:0:root:/root:/nologin\nnonroot:x:${UID}:${GID}:nonroot:/tmp:/nologin\n`),
    text('etc/group', `root:x:0:\nnonroot:x:${GID}:\n`),
    // Without it glibc asks DNS before /etc/hosts.
    text('etc/nsswitch.conf', 'hosts: files dns\n'),
    // Mozilla's list, as this Node has it built in.
    text('etc/ssl/certs/ca-certificates.crt', `${rootCertificates.join('\n')}\n`),
    folder('tmp', 0o1777),
    // Where container runtimes mount.
    ...['dev', 'proc', 'sys'].map((path) => folder(path)),
  ];
}

/** What npm would publish: package.json says it under `files`. The README is for who reads, not for who runs. */
function programFiles(root: string): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const said = execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [{ files }] = JSON.parse(said) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path).filter((path) => path !== 'README.md');
  if (!paths.includes('dist/cli.js')) throw new Error('dist/cli.js: missing; run `npm run build` first');
  return paths;
}
