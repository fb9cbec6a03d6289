/** `prunesweep claims`: what a folder's records say of each claim. */
import { join, resolve } from 'node:path';
import { writeFileDurably } from '../bus/files';
import { type JudgedClaim, judge } from '../charts/claims';
import { claimsMarkdown } from '../charts/claims/markdown';
import type { Study } from '../charts/study';
import { folderStudy } from './figures';

export function writeClaims(study: Study, folder: string): JudgedClaim[] {
  const judged = judge(study);
  writeFileDurably(join(folder, 'claims.md'), Buffer.from(claimsMarkdown(judged)));
  writeFileDurably(join(folder, 'claims.json'), Buffer.from(`${JSON.stringify(judged, undefined, 2)}\n`));
  return judged;
}

export function claims(folder: string): void {
  for (const { name, verdict, missing } of writeClaims(folderStudy(folder), resolve(folder)))
    process.stdout.write(`${name}: ${verdict}${missing === undefined ? '' : `, ${missing}`}\n`);
}
