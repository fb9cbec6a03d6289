import { describe, expect, it } from 'vitest';
import { judge } from '../../charts/claims';
import { FIGURES } from '../../charts/figures';
import { isMissing } from '../../charts/figures/figure';
import { virtualDocument } from '../../charts/render';
import { studyOfCsv, trialsCsv } from '../../charts/trials';
import { encodeCounts } from '../../sweep/counts';
import type { DatasetShape } from '../../sweep/spec';
import { ARTICLE, csvRows, HAN, studyFrom } from './study';

/** Images of 20 x 20 pixels, three classes: 300-100 has 120,000 + 30,000 + 300 weights. */
const SHAPE: DatasetShape = {
  ...{ inputs: 400, classes: 3, trainImages: 6000, testImages: 500 },
  identity: `sha256:${'0'.repeat(64)}`,
};
const DENSE = [120_000, 30_000, 300];
const TOTAL = 150_300;
/** 8.2 %, as it lies. */
const SHARE = [9600, 2700, 25];
const MASKED_2657 = [1200, 1400, 57];

const idx = { trainImages: 'a', trainLabels: 'b', testImages: 'c', testLabels: 'd' };
const dataset = { idx };
const specs = [
  { ...ARTICLE, dataset },
  { ...HAN, dataset },
  ...[0, 1, 2].map((layer) => ({
    dataset,
    pruneRatios: [0],
    remainingWeights: [TOTAL - DENSE[layer]! / 2],
    recipes: [
      { recovery: 'none', schedule: 'oneshot', keepDense: ['fc1', 'fc2', 'fc3'].filter((_, l) => l !== layer) },
    ],
    seeds: 3,
  })),
];

const study = studyFrom(
  specs,
  ({ seed, recipe, network, trial: { content } }) => {
    const alone = [0, 1, 2].find((l) => recipe.keepDense !== undefined && !recipe.keepDense.includes(`fc${l + 1}`));
    const halved = content.remainingWeights < TOTAL && alone !== undefined;
    const is300 = network === '300-100';
    const byLayer = halved
      ? DENSE.map((dense, l) => (l === alone ? dense / 2 : dense))
      : is300 && content.remainingWeights === TOTAL
        ? DENSE
        : content.remainingWeights === 12_325
          ? SHARE
          : is300 && content.remainingWeights === 2657
            ? MASKED_2657
            : undefined;
    return {
      ...(byLayer === undefined ? {} : { remainingByLayer: byLayer }),
      test: { correct: 400 + seed, images: 500, loss: 0.3 },
      testCorrectWithoutRelu: [100, 399],
      survivorsByInput: encodeCounts(Array.from({ length: 400 }, (_, input) => input)),
    };
  },
  SHAPE,
);

describe('a study of other data than MNIST', () => {
  it("has its own layers' sizes in every figure that takes them", () => {
    const table2 = csvRows('han-table2', study);
    expect(table2.map(({ weights }) => weights)).toEqual([...DENSE, TOTAL]);
    for (const [at, percent] of [8, 9, 100 / 12, 8.2].entries())
      expect(table2[at]!.remaining_percent).toBeCloseTo(percent, 2);
    const figure6 = csvRows('han-figure6', study).filter(({ remaining_weights }) => remaining_weights !== TOTAL);
    expect(figure6.map(({ curve, remaining_percent }) => [curve, remaining_percent])).toEqual([
      ['fc1', 50],
      ['fc2', 50],
      ['fc3', 50],
    ]);
    expect(csvRows('han-figure4', study)).toHaveLength(400);
    const before = csvRows('han-table1', study).find(({ network }) => network === 'pruned')!;
    expect(before.compression).toBeCloseTo(TOTAL / 12_325, 10);
  });

  it('has its own layers in the claims, which say nothing of MNIST', () => {
    const judged = judge(study);
    const shallow = judged.find(({ name }) => name === 'shallow-layers-stripped')!;
    expect(shallow.comparisons[0]!.mean).toBeCloseTo((100 * 1400) / 30_000 - 1, 10);
    expect(shallow.comparisons[1]!.mean).toBeCloseTo(19 - (100 * 1400) / 30_000, 10);
    const missing = judged.filter((claim) => claim.missing?.includes('mnist'));
    expect(missing.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['300-100-masked', 'han-table1', 'han-table2', 'literature-rigl-2.5']),
    );
    expect(missing).toHaveLength(5 + 2 + 12);
    for (const { comparisons } of judged) for (const one of comparisons) expect(one.published).toBeUndefined();
  });

  it('has no published number beside its own', () => {
    for (const { name, make } of FIGURES) {
      const made = make(study);
      if (isMissing(made)) continue;
      const columns = Object.entries(made.drawn.rows[0]!).map(([column]) => column);
      for (const column of columns.filter((one) => /article|han_/.test(one)))
        expect(
          made.drawn.rows.map((row) => (row as Record<string, unknown>)[column]).filter((value) => value !== undefined),
          `${name}: ${column}`,
        ).toEqual([]);
      const picture = made.draw({ document: virtualDocument(), width: 690 }).textContent;
      expect(picture, name).not.toMatch(/NaN|undefined|Infinity|[Pp]ublished|The article:|Crosses/);
    }
  });

  it('gives the same from its CSV', () => {
    expect(judge(studyOfCsv(trialsCsv(study.rows), SHAPE))).toEqual(judge(study));
  });

  it('has no map where images are not square, and says so', () => {
    const shape = { ...SHAPE, inputs: 390 };
    const flat = studyFrom(
      [{ ...HAN, dataset }],
      () => ({ survivorsByInput: encodeCounts(Array.from({ length: 390 }, () => 1)) }),
      shape,
    );
    const made = FIGURES.find(({ name }) => name === 'han-figure4')!.make(flat);
    expect(isMissing(made) && made.missing).toContain('square');
  });
});
