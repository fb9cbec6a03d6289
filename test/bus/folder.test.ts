import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../bus/bus';
import { FolderLedger } from '../../bus/folder';
import { temporaryFolder } from '../idxfiles';

async function entriesOf(folder: string): Promise<LedgerEntry[]> {
  const ledger = new FolderLedger([folder]);
  const { last } = await ledger.position(0);
  const entries: LedgerEntry[] = [];
  if (last > 0)
    for await (const { entry, sequence } of ledger.follow(0)) {
      entries.push(entry);
      if (sequence === last) break;
    }
  return entries;
}

describe('the folder of a run as a line', () => {
  it('sets aside what is no failure, and tells of those after it', async () => {
    const folder = temporaryFolder();
    const failure = { trial: 'a', reason: 'diverged' };
    const torn = `{"trial":"b","rea${JSON.stringify(failure)}`;
    writeFileSync(join(folder, 'failures.ndjson'), `${torn}\nnull\n${JSON.stringify(failure)}\n{"trial":"c`);
    expect(await entriesOf(folder)).toEqual([
      expect.objectContaining({ kind: 'poison', subject: `${folder}/failures.ndjson, line 1`, head: torn }),
      expect.objectContaining({ kind: 'poison', head: 'null' }),
      { kind: 'failure', failure },
    ]);
  });

  it('has nothing while nothing is written', async () => {
    expect(await entriesOf(temporaryFolder())).toEqual([]);
  });
});
