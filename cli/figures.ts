/** `prunesweep figures`: the pictures that a folder's records allow, each beside the numbers that it is drawn from. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { withDiskErrors, writeFileDurably } from '../bus/files';
import { toCsv } from '../charts/csv';
import { FIGURES } from '../charts/figures';
import { isMissing } from '../charts/figures/figure';
import { WIDTHS } from '../charts/figures/style';
import { render, virtualDocument } from '../charts/render';
import { type Study, studyOf } from '../charts/study';
import { loadFolder } from './sweepfile';
import { folderRecords } from './table';

export const FIGURES_FOLDER = 'figures';

export function folderStudy(folder: string): Study {
  const { shape } = loadFolder(folder);
  return studyOf(folderRecords(folder), shape);
}

/** @returns one line a figure: what was made, or what it takes to make it */
export async function writeFigures(study: Study, folder: string): Promise<string[]> {
  const place = join(folder, FIGURES_FOLDER);
  withDiskErrors(place, () => mkdirSync(place, { recursive: true }));
  const lines: string[] = [];
  for (const { name, title, make } of FIGURES) {
    const made = make(study);
    if (isMissing(made)) {
      lines.push(`${name}: not made, ${made.missing}`);
      continue;
    }
    writeFileDurably(join(place, `${name}.csv`), Buffer.from(toCsv(made.drawn.rows)));
    for (const [suffix, width] of Object.entries(WIDTHS)) {
      const { svg, png } = await render(made.draw({ document: virtualDocument(), width }), title);
      writeFileDurably(join(place, `${name}-${suffix}.svg`), Buffer.from(svg));
      writeFileDurably(join(place, `${name}-${suffix}.png`), png);
    }
    lines.push(`${name}: ${title}`);
  }
  return lines;
}

export async function figures(folder: string): Promise<void> {
  const lines = await writeFigures(folderStudy(folder), resolve(folder));
  process.stdout.write(`${lines.join('\n')}\n`);
}
