/** Judged claims for people. */

import type { Region } from '../decision';
import type { JudgedClaim, JudgedComparison } from '.';

const digits = (value: number) => Number(value.toFixed(2)).toString();

function regionText({ low, high }: Region): string {
  if (low !== undefined && high !== undefined) return `${digits(low)} to ${digits(high)}`;
  return low === undefined ? `at most ${digits(high!)}` : `at least ${digits(low)}`;
}

const pText = (p: number) => (p < 0.001 ? '< 0.001' : p.toFixed(3));

const line = (fields: readonly (string | number)[]) => `| ${fields.join(' | ')} |`;

function row({ what, unit, mean, low, high, n, published, region, adjusted, verdict }: JudgedComparison): string {
  const interval = low === undefined || high === undefined ? '–' : `${digits(low)} to ${digits(high)}`;
  const said = published === undefined ? '–' : digits(published);
  return line([what, unit, regionText(region), said, digits(mean), interval, n, pText(adjusted), verdict]);
}

function section({ name, source, statement, rule, verdict, comparisons, note, missing }: JudgedClaim): string {
  const head = [`## ${name}: ${verdict}`, '', `${statement} (${source})`, '', `Rule: ${rule}`];
  if (missing !== undefined) return [...head, '', `Not judged: ${missing}.`, ''].join('\n');
  const table = [
    line(['comparison', 'unit', 'claimed', 'published', 'ours', '95 % interval', 'n', 'p (Holm)', 'verdict']),
    '|---|---|---|--:|--:|---|--:|--:|---|',
    ...comparisons.map(row),
  ];
  return [...head, ...(note === undefined ? [] : ['', `Ours: ${note}.`]), '', ...table, ''].join('\n');
}

export function claimsMarkdown(claims: readonly JudgedClaim[]): string {
  const tests = claims.reduce((sum, { comparisons }) => sum + comparisons.length, 0);
  const counts = ['reproduced', 'refuted', 'inconclusive', 'not judged'].map(
    (verdict) => `${claims.filter((claim) => claim.verdict === verdict).length} ${verdict}`,
  );
  return [
    '# Claims',
    '',
    `${claims.length} claims: ${counts.join(', ')}.`,
    '',
    `Each comparison is a mean over seeds beside what is claimed, by Student's t. It is reproduced or refuted when the mean is inside or outside at a family-wise level of 5 %, Holm's correction over all ${tests} comparisons; inconclusive otherwise. A claim is reproduced when all of its comparisons are, refuted when one of them is. Intervals are not corrected.`,
    '',
    line(['claim', 'source', 'verdict']),
    '|---|---|---|',
    ...claims.map(({ name, source, verdict }) => line([name, source, verdict])),
    '',
    ...claims.map(section),
  ].join('\n');
}
