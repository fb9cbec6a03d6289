/** Identity by content: the same content has the same id in any sweep, on any machine. */
import { hash } from 'node:crypto';
import type { LineageContent, TrialContent } from './trial';

/**
 * JSON with sorted keys and no spaces (RFC 8785 for the values that occur here: its number form is JavaScript's).
 * A grid of 100,000 trials takes this long twice, hence the loop.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

const sha256 = (text: string): string => hash('sha256', text);

export const trialId = (content: TrialContent): string => sha256(canonicalJson(content));
export const lineageId = (content: LineageContent): string => sha256(canonicalJson(content));
