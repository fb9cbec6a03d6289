/** The image with TensorFlow in it: the plain one, and a layer more. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../k8s/image/image';
import { envOf, nameOf } from '../../k8s/image/run';
import { version } from '../../package.json';
import { keptFolder } from '../../trainer/engine/tfjs/install/place';
import { hasTfjs, whyNoTfjs } from '../servers/tfjs';

const ROOT = resolve(__dirname, '../..');
const canBeMade = hasTfjs && existsSync('/var/lib/dpkg/status');
const why = hasTfjs ? ' (needs a Debian or an Ubuntu: its libraries are in the image)' : whyNoTfjs;

describe.runIf(canBeMade)(`the image with TensorFlow${canBeMade ? '' : why}`, () => {
  const pathsOf = ({ entries }: ReturnType<typeof imageOf>['layers'][number]) => entries.map(({ path }) => path);

  it('is the plain one with a layer more, where its cache folder has what `prunesweep tfjs` installs', () => {
    const [plain, image] = [imageOf(ROOT), imageOf(ROOT, 'cpu')];
    const [system, tfjs, ...rest] = image.layers;
    expect(image.layers.map(({ name }) => name)).toEqual(['system', 'tfjs', 'packages', 'program']);
    expect(rest.map(pathsOf)).toEqual(plain.layers.slice(1).map(pathsOf));
    expect(pathsOf(system!)).toEqual(expect.arrayContaining(pathsOf(plain.layers[0]!)));
    const folder = `var/cache/prunesweep/tfjs/${keptFolder('cpu').split('/').at(-1)}/`;
    expect(envOf('cpu').XDG_CACHE_HOME).toBe('/var/cache');
    const files = tfjs!.entries.flatMap(({ path, content }) => (content === undefined ? [] : [path]));
    expect(files.filter((path) => !path.startsWith(folder))).toEqual([]);
    const binding = `${folder}node_modules/@tensorflow/tfjs-node`;
    for (const file of ['deps/lib/libtensorflow.so.2', 'lib/napi-v8/tfjs_binding.node', 'dist/index.js'])
      expect(files).toContain(`${binding}/${file}`);
    expect(plain.layers.flatMap(pathsOf).filter((path) => path.includes('tensorflow/tfjs-node'))).toEqual([]);
  });

  it('has a name of its own', () => {
    expect([nameOf(), nameOf('gpu')]).toEqual([`prunesweep:${version}`, `prunesweep:${version}-tfjs-gpu`]);
  });
});
