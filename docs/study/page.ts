/** docs/study: results, pictures, and the page that tells what came out. Every number of the page comes from the run. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { axesOf, tableMarkdown } from '../../aggregator/table';
import type { JudgedClaim, JudgedComparison } from '../../charts/claims';
import { FIGURES } from '../../charts/figures';
import { isMissing } from '../../charts/figures/figure';
import type { Study } from '../../charts/study';
import { trialsCsv } from '../../charts/trials';
import { writeClaims } from '../../cli/claims';
import { FIGURES_FOLDER, folderStudy, writeFigures } from '../../cli/figures';
import { loadSweep } from '../../cli/sweepfile';
import { folderRecords } from '../../cli/table';
import { cells } from '../../sweep/cells';
import { gridPoints } from '../../sweep/grid';
import type { StudySweep } from './sweeps';

const digits = (value: number) => Number(value.toFixed(2)).toString();

function comparisonText({ what, unit, mean, low, high, n, published }: JudgedComparison): string {
  const mark = unit === '%' ? ' %' : ' points';
  const interval = low === undefined ? '' : ` (95 %: ${digits(low)} to ${digits(high!)}, n = ${n})`;
  return `${what}: **${digits(mean)}${mark}**${interval}${published === undefined ? '' : `, published ${digits(published)}${mark}`}`;
}

/** A claim as the page tells it: the verdict, then every number. */
function told(claims: readonly JudgedClaim[], names: readonly string[]): string {
  return names
    .map((name) => {
      const claim = claims.find((one) => one.name === name);
      if (claim === undefined) throw new Error(`there is no claim ${name}`);
      const { statement, verdict, comparisons, note, missing } = claim;
      const parts = comparisons.map((comparison) => `- ${comparisonText(comparison)}`);
      const why = missing === undefined ? [] : [`- ${missing}`];
      return [
        `**${verdict}**: ${statement}${note === undefined ? '' : ` Ours: ${note}.`}`,
        '',
        ...parts,
        ...why,
        '',
      ].join('\n');
    })
    .join('\n');
}

const line = (fields: readonly string[]) => `| ${fields.join(' | ')} |`;
const markdownTable = (columns: readonly string[], rows: readonly string[][]): string =>
  [line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n');

/** The literature's counts, most weights first: our error, theirs. */
function literatureTable(claims: readonly JudgedClaim[]): string {
  const rows = claims
    .filter(({ name }) => name.startsWith('literature-'))
    .flatMap(({ statement, verdict, comparisons: [first] }) => {
      if (first === undefined) return [];
      const { what, mean, low, high, published } = first;
      const interval = low === undefined ? '' : `, ${digits(low)} to ${digits(high!)}`;
      const [method, count] = [statement.split(':')[0]!, Number(what.split(' ').at(-1))];
      return [{ count, fields: [`${digits(mean)} %${interval}`, `${digits(published!)} %`, method, verdict] }];
    })
    .sort((a, b) => b.count - a.count);
  const columns = ['weights left', 'our error', 'published', 'by', 'verdict'];
  return markdownTable(
    columns,
    rows.map(({ count, fields }) => [count.toLocaleString('en'), ...fields]),
  );
}

const SETTINGS = ['schedule', 'steps', 'epochs', 'learning_rate_factor', 'accuracy_percent', 'low', 'high'];

/** Which retraining settings have the article's 65 % in their interval, or are near. */
function retrainingTold(study: Study): { nearest: string; retraining: string } {
  const made = FIGURES.find(({ name }) => name === 'retraining')!.make(study);
  if (isMissing(made)) return { nearest: '', retraining: `Not measured: ${made.missing}.\n` };
  const rows = made.drawn.rows as {
    accuracy_percent: number;
    low?: number;
    high?: number;
    [column: string]: unknown;
  }[];
  const shown = [...rows].sort((a, b) => Math.abs(a.accuracy_percent - 65) - Math.abs(b.accuracy_percent - 65));
  const around = rows.filter(({ low, high }) => low !== undefined && high !== undefined && low <= 65 && high >= 65);
  const means = rows.map(({ accuracy_percent }) => accuracy_percent);
  const text = (value: unknown) => (typeof value === 'number' ? digits(value) : String(value ?? '–'));
  return {
    nearest: `Settings with 65 % within their 95 % interval: ${around.length} of ${rows.length}; the means go from ${digits(Math.min(...means))} to ${digits(Math.max(...means))} %.`,
    retraining: markdownTable(
      SETTINGS,
      shown.map((row) => SETTINGS.map((column) => text(row[column]))),
    ),
  };
}

/** @param folder of the run, from which everything is made @param place where it goes */
export async function writePage(folder: string, place: string, sweeps: readonly StudySweep[]): Promise<void> {
  mkdirSync(place, { recursive: true });
  const study = folderStudy(folder);
  const drawn = await writeFigures(study, folder);
  const claims = writeClaims(study, folder);
  cpSync(join(folder, FIGURES_FOLDER), join(place, FIGURES_FOLDER), {
    recursive: true,
    filter: (name) => !name.includes('-89mm.'),
  });
  for (const name of ['claims.md', 'claims.json']) cpSync(join(folder, name), join(place, name));
  writeFileSync(join(place, 'trials.csv'), trialsCsv(study.rows));
  const records = folderRecords(folder);
  const tables = sweeps.map(({ name }) => {
    const { sweep, shape } = loadSweep(join(folder, `${name}.yaml`));
    return `## ${name}\n\n${tableMarkdown(cells(gridPoints(sweep.spec, shape), records), axesOf(sweep.spec, shape))}`;
  });
  writeFileSync(join(place, 'table.md'), `# Tables of the study\n\n${tables.join('\n')}`);
  const template = readFileSync(join(__dirname, 'page.md'), 'utf8');
  const counts = (verdict: string) => String(claims.filter((claim) => claim.verdict === verdict).length);
  const values: Record<string, string> = {
    trials: study.rows.length.toLocaleString('en'),
    claims: String(claims.length),
    seeds: String(new Set(study.rows.map(({ seed }) => seed)).size),
    unjudged: counts('not judged'),
    ...retrainingTold(study),
    literature: literatureTable(claims),
    ...{ reproduced: counts('reproduced'), refuted: counts('refuted'), inconclusive: counts('inconclusive') },
  };
  const page = template
    .replace(/\{\{claims ([^}]*)\}\}/g, (_, names: string) => told(claims, names.split(' ')))
    .replace(/\{\{figure ([^}]*)\}\}/g, (_, name: string) => {
      const title = FIGURES.find((figure) => figure.name === name)?.title;
      if (title === undefined) throw new Error(`there is no figure ${name}`);
      return `![${title}](${FIGURES_FOLDER}/${name}-183mm.png)\n\n([numbers](${FIGURES_FOLDER}/${name}.csv))`;
    })
    .replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
      if (values[name] === undefined) throw new Error(`page.md: there is no value ${name}`);
      return values[name];
    });
  writeFileSync(join(place, 'README.md'), page);
  console.log(
    `${drawn.join('\n')}\n\nIn ${place}: README.md, trials.csv, table.md, claims.md, claims.json, ${FIGURES_FOLDER}`,
  );
}
