import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judge } from '../../charts/claims';
import { claimsMarkdown } from '../../charts/claims/markdown';
import { toCsv } from '../../charts/csv';
import { FIGURES } from '../../charts/figures';
import { isMissing } from '../../charts/figures/figure';
import { studyOfCsv } from '../../charts/trials';
import { MNIST } from '../fixtures';

const DOCS = join(__dirname, '../../docs/study');
const read = (name: string) => readFileSync(join(DOCS, name), 'utf8');
const study = studyOfCsv(read('trials.csv'), MNIST);

/** These show what a CSV of trials has not: histograms, maps, seconds. */
const OF_RECORDS = ['han-figure4', 'han-figure7', 'article-maps', 'article-histograms', 'cost'];

describe('docs/study', () => {
  it('has the verdicts that its trials add up to', () => {
    const judged = judge(study);
    expect(read('claims.md')).toBe(claimsMarkdown(judged));
    expect(JSON.parse(read('claims.json'))).toEqual(JSON.parse(JSON.stringify(judged)));
    expect(judged.filter(({ verdict }) => verdict === 'not judged')).toEqual([]);
  });

  for (const { name, make } of FIGURES.filter((figure) => !OF_RECORDS.includes(figure.name)))
    it(`has in ${name} what its trials add up to`, () => {
      const made = make(study);
      if (isMissing(made)) throw new Error(made.missing);
      expect(read(`figures/${name}.csv`)).toBe(toCsv(made.drawn.rows));
    });

  it('rests on five seeds and more, and every trial has another id', () => {
    expect(new Set(study.rows.map(({ id }) => id)).size).toBe(study.rows.length);
    expect(new Set(study.rows.map(({ seed }) => seed)).size).toBeGreaterThanOrEqual(5);
  });
});
