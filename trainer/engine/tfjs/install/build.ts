/**
 * The native half of tfjs-node where its own download is refused: libtensorflow out of a wheel, and the binding compiled
 * from the package's own sources. Linux on x86-64. Nothing but PyPI is reached, and node-gyp is not used: the binding is
 * N-API, whose headers are a package.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from '../../../../sweep/errors';
import type { Kind } from './place';
import { run } from './run';
import { CUDA, downloadWheel, TENSORFLOW, unpackWheel } from './wheels';

/** The C API is in the library of Python's module. It is opened under this name, which is also what it calls itself. */
const LIBRARY = '_pywrap_tensorflow_internal.so';
const FRAMEWORK = 'libtensorflow_framework.so.2';
/** By which the binding asks for the C API. */
const SHIM = 'libtensorflow.so.2';

const C_HEADERS = String.raw`^tensorflow/include/(tensorflow/c/|tensorflow/core/platform/ctstring).*\.h$`;

/**
 * @param root folder with the packages in `node_modules`
 * @param packageFolder of tfjs-node in it; gets `deps/lib` and `lib/napi-v8`, as its own download would give it
 */
export async function buildNative(
  kind: Kind,
  root: string,
  packageFolder: string,
  say: (line: string) => void,
): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new UnavailableError(`it is for Linux on x86-64, and this is ${process.platform} on ${process.arch}`);
  const work = join(root, 'work');
  const libraries = join(packageFolder, 'deps', 'lib');
  mkdirSync(work);
  mkdirSync(libraries, { recursive: true });
  await run('g++', ['--version'], { to: 'compile the binding' });
  say(`downloading libtensorflow from PyPI${kind === 'gpu' ? ', and CUDA: 2.3 GB' : ': 207 MB'}`);
  const wheel = await downloadWheel(TENSORFLOW[kind], join(work, 'tensorflow'));
  await unpackWheel(wheel, libraries, `/(${LIBRARY}|${FRAMEWORK})$`, 'flat');
  // The names of what is not exported are a quarter of it.
  for (const library of [LIBRARY, FRAMEWORK])
    await run('strip', ['--strip-unneeded', join(libraries, library)], { to: `make ${library} smaller` });
  await unpackWheel(wheel, packageFolder, String.raw`\.dist-info/LICENSE$`, 'flat');
  await unpackWheel(wheel, work, C_HEADERS, 'tree');
  if (kind === 'gpu') await addCuda(work, libraries);
  say('compiling the binding');
  await linkShim(work, libraries);
  await compileBinding(root, packageFolder, join(work, 'tensorflow', 'include'), libraries);
  rmSync(work, { recursive: true });
}

/** Beside libtensorflow, which is where it looks first. */
async function addCuda(work: string, libraries: string): Promise<void> {
  for (const wheel of CUDA) {
    const folder = join(work, wheel.project);
    const file = await downloadWheel(wheel, folder);
    await unpackWheel(file, libraries, String.raw`/lib/lib[^/]*\.so\.`, 'flat');
    rmSync(folder, { recursive: true });
  }
}

/**
 * Makes the library that the binding asks for: it pulls in the one with the C API, and has the names of Python that this
 * one refers to and that nothing of the C API reaches.
 */
async function linkShim(work: string, libraries: string): Promise<void> {
  const listed = await run('nm', ['--dynamic', '--undefined-only', join(libraries, LIBRARY)], {
    to: `read ${LIBRARY}`,
  });
  const names = [...listed.matchAll(/^\s*U (_?Py\w+)$/gm)].map(([, name]) => name!);
  const source = join(work, 'shim.c');
  writeFileSync(source, names.map((name) => `char ${name}[512];\n`).join(''));
  const own = ['-w', '-shared', '-fPIC', '-o', SHIM, source, `-Wl,-soname,${SHIM}`, '-Wl,-rpath,$ORIGIN'];
  await run('gcc', [...own, '-Wl,--no-as-needed', '-L.', `-l:${LIBRARY}`, `-l:${FRAMEWORK}`], {
    ...{ to: 'link libtensorflow', cwd: libraries },
  });
}

async function compileBinding(root: string, packageFolder: string, headers: string, libraries: string): Promise<void> {
  const target = join(packageFolder, 'lib', 'napi-v8');
  mkdirSync(target, { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  const includes = [join(root, 'node_modules', 'node-api-headers', 'include'), headers].map((folder) => `-I${folder}`);
  const how = ['-std=c++17', '-O2', '-w', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
  const linked = [
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
    `-L${libraries}`,
    '-Wl,--no-as-needed',
    `-l:${SHIM}`,
    `-l:${FRAMEWORK}`,
  ];
  await run('g++', [...how, ...includes, ...sources, '-o', join(target, 'tfjs_binding.node'), ...linked], {
    to: 'compile the binding',
  });
}
