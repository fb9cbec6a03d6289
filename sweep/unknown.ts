/** What is said of a field that a sweep file does not have. */
import { type Schema, SWEEP_SCHEMA } from './schema';
import { listed, shorten } from './wording';

/** Longer names are not misspelt ones. */
const LONGEST_NAME = 40;

/**
 * @param path of the object that has the field, empty for the whole file
 * @param known fields of that object
 */
export function unknownField(path: string, name: string, known: readonly string[]): string {
  const inside = path === '' ? '' : `${path}.`;
  const field = `${inside}${shorten(name)}`;
  const elsewhere = pathsOf(name, SWEEP_SCHEMA, '')[0];
  if (elsewhere !== undefined) return `${field}: unknown field here; did you mean ${elsewhere}?`;
  const near = nearest(name, known);
  if (near !== undefined) return `${field}: unknown field; did you mean ${inside}${near}?`;
  return `${field}: unknown field; the fields here are ${listed(known, 'and')}`;
}

/** The known name that takes the fewest edits, if they are few enough to be slips. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST_NAME) return undefined;
  return known
    .map((other) => ({ other, edits: editDistance(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ other, edits }) => edits <= Math.max(1, other.length / 3))
    .sort((a, b) => a.edits - b.edits)[0]?.other;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Paths of all fields of this name: spec.dataset.validation, spec.recipes[].scope. */
function pathsOf(name: string, schema: Schema, at: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([field, child]) => {
    const path = at === '' ? field : `${at}.${field}`;
    const inItems = child.items === undefined ? [] : pathsOf(name, child.items, `${path}[]`);
    return [...(field === name ? [path] : []), ...pathsOf(name, child, path), ...inItems];
  });
}
