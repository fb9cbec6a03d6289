/** Words that messages and tables share. */
import type { Schema } from './schema';

const LONGEST_VALUE = 80;

/** `1,061,800`, in every locale. */
export const thousands = (n: number): string =>
  Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');

/** At most 80 characters, none of which moves a terminal's cursor. */
export function shorten(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
  return plain.length > LONGEST_VALUE ? `${plain.slice(0, LONGEST_VALUE - 1)}…` : plain;
}

/** A value as a person would write it. JSON has no word for the numbers .nan and .inf, and calls them null. */
export const shown = (value: unknown): string =>
  shorten(typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value)));

/** `a, b or c`. */
export const listed = (items: readonly string[], joint: 'and' | 'or'): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${joint} ${items.at(-1)}`;

export const withArticle = (title: string): string => `${/^([aeio]|L\d)/i.test(title) ? 'an' : 'a'} ${title}`;

/** What a field takes. */
export function expectation(schema: Schema): string {
  if (schema.expects !== undefined) return schema.expects;
  if (schema.oneOfTypes !== undefined) return schema.oneOfTypes.map(expectation).join(', or ');
  if (schema.enum !== undefined) return listed(schema.enum.map(String), 'or');
  switch (schema.type) {
    case 'integer':
      return `an integer from ${schema.minimum} to ${schema.maximum}`;
    case 'number':
      return `a number ${schema.minimum === undefined ? `above ${schema.exclusiveMinimum}` : `from ${schema.minimum}`} to ${schema.maximum ?? `below ${schema.exclusiveMaximum}`}`;
    case 'array':
      return `a list of ${schema.minItems ?? 0} to ${schema.maxItems}, each ${expectation(schema.items!)}`;
    case 'boolean':
      return 'true or false';
    case 'object':
      return schema.properties === undefined
        ? 'an object'
        : `an object with ${listed(Object.keys(schema.properties), 'and')}`;
    default:
      return schema.description;
  }
}
