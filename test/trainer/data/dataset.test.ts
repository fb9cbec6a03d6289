import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeDataset, loadDataset } from '../../../trainer/data/dataset';
import { type IdxFolder, idxImages, idxLabels, temporaryFolder, writeIdxFolder } from '../../idxfiles';

const describeIdx = (idx: IdxFolder) => describeDataset({ idx, validation: 0 });

describe('a data set of IDX files', () => {
  it('is described by what is in them, gzipped or not', () => {
    const plain = describeIdx(writeIdxFolder(temporaryFolder()));
    expect(plain).toMatchObject({ inputs: 400, classes: 3, trainImages: 1500, testImages: 300 });
    expect(plain.identity).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(describeIdx(writeIdxFolder(temporaryFolder(), { gzip: true }))).toEqual(plain);
  });

  it('has another identity when one pixel differs', () => {
    const files = writeIdxFolder(temporaryFolder());
    const before = describeIdx(files).identity;
    const bytes = readFileSync(files.testImages);
    bytes[100]! ^= 1;
    writeFileSync(files.testImages, bytes);
    expect(describeIdx(files).identity).not.toBe(before);
  });

  it('is shared image by image: positions, values, labels', () => {
    const files = writeIdxFolder(temporaryFolder(), { side: 5, train: 40, test: 10 });
    const pixels = readFileSync(files.trainImages).subarray(16);
    const images = loadDataset({ idx: files, validation: 10 });
    expect([images.subsets.train.count, images.subsets.validation?.count, images.subsets.test.count]).toEqual([
      30, 10, 10,
    ]);
    for (const [subset, first] of [
      [images.subsets.train, 0],
      [images.subsets.validation!, 30],
    ] as const) {
      const starts = new Uint32Array(images.memory.buffer, subset.starts, subset.count + 1);
      const entries = new Uint32Array(images.memory.buffer, subset.pixels);
      for (let image = 0; image < subset.count; image++) {
        const dense = new Uint8Array(25);
        for (let at = starts[image]!; at < starts[image + 1]!; at++)
          dense[images.position.indexOf(entries[at]! & 0xffff)] = entries[at]! >>> 16;
        expect([...dense]).toEqual([...pixels.subarray((first + image) * 25, (first + image + 1) * 25)]);
      }
    }
  });
});

describe('a wrong IDX file is refused with field, path and mend', () => {
  const cases: [string, (files: IdxFolder) => void, RegExp][] = [
    [
      'missing',
      (f) => {
        f.testImages += '-not';
      },
      /^spec\.dataset\.idx\.testImages: .*-not: there is no such file; give the path/,
    ],
    [
      'a folder',
      (f) => {
        f.testLabels = temporaryFolder();
      },
      /testLabels: .*: this is a folder; give the path/,
    ],
    [
      'cut off',
      (f) => writeFileSync(f.trainImages, readFileSync(f.trainImages).subarray(0, 5000)),
      /trainImages: .*the header says 1500 x 20 x 20, that is 600016 bytes, but there are 5000; the file is cut off/,
    ],
    [
      'too long',
      (f) => writeFileSync(f.trainLabels, Buffer.concat([readFileSync(f.trainLabels), Buffer.alloc(1)])),
      /trainLabels: .*the file is too long/,
    ],
    [
      'cut off in its header',
      (f) => writeFileSync(f.trainLabels, Buffer.alloc(6)),
      /trainLabels: .*6 bytes are too few for the header/,
    ],
    ['empty', (f) => writeFileSync(f.trainImages, ''), /trainImages: .*0 bytes are too few/],
    [
      'images where labels should be',
      (f) => {
        f.trainLabels = f.trainImages;
      },
      /trainLabels: .*the magic number is 0x00000803; an IDX file of labels begins with 0x00000801/,
    ],
    [
      'with fewer labels than images',
      (f) => writeFileSync(f.testLabels, idxLabels(new Uint8Array(299))),
      /testLabels: .*299 labels for the 300 images/,
    ],
    [
      'with a label out of range',
      (f) => writeFileSync(f.testLabels, idxLabels(new Uint8Array(300).fill(7, 250))),
      /testLabels: .*label 250 is 7, out of range: the training labels go from 0 to 2/,
    ],
    [
      'of one class',
      (f) => writeFileSync(f.trainLabels, idxLabels(new Uint8Array(1500))),
      /trainLabels: .*every label is 0; 2 to 256 classes are needed/,
    ],
    [
      'of another size of images',
      (f) => writeFileSync(f.testImages, idxImages(300, 2, 2, new Uint8Array(1200))),
      /testImages: .*images of 4 pixels, but those of .* have 400/,
    ],
    [
      'of no images',
      (f) => writeFileSync(f.testImages, idxImages(0, 20, 20, new Uint8Array())),
      /testImages: .*holds no images/,
    ],
    [
      'of images too large',
      (f) => writeFileSync(f.testImages, idxImages(1, 300, 300, new Uint8Array(90000))),
      /testImages: .*images of 300 x 300 pixels; 1 to 65,536/,
    ],
    [
      'broken gzip',
      (f) => writeFileSync(f.testImages, Buffer.from([0x1f, 0x8b, 8, 0, 1, 2])),
      /testImages: .*gzip: .*; compress or download it again/,
    ],
  ];
  for (const [name, damage, message] of cases)
    it(name, () => {
      const files = writeIdxFolder(temporaryFolder());
      damage(files);
      expect(() => describeIdx(files)).toThrow(message);
    });
});
