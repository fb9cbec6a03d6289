/** Identity by content: the same content has the same id in any sweep, on any machine. */
import { createHash } from 'node:crypto';
import type { LineageContent, TrialContent } from './trial';

/** JSON with sorted keys and no spaces (RFC 8785 for the values that occur here: its number form is JavaScript's). */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const trialId = (content: TrialContent): string => sha256(`trial ${canonicalJson(content)}`);
export const lineageId = (content: LineageContent): string => sha256(`lineage ${canonicalJson(content)}`);
