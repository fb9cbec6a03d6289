/** YAML to a plain document, as long as it is small and tame. */
import { Composer, type CST, type Document, isScalar, LineCounter, Parser, visit } from 'yaml';
import { shorten, shown, thousands } from './wording';

/** A grid of a million trials takes 2 kB. This much is read or refused in half a second and 130 MB, whatever is in it. */
export const MOST_CHARACTERS = 64 * 1024;
/** The composer recurses, and V8 aborts the process when the stack ends inside a regular expression. */
const DEEPEST = 64;
const MOST_ALIASES = 100;
/** One mistake in YAML makes many errors; the first ones are of use. */
const MOST_PROBLEMS = 5;

export interface ReadResult {
  document?: unknown;
  problems: string[];
}

/** A mistake, and the offset in the text where it stands. */
interface Mistake {
  message: string;
  offset: number;
}

/** @param text of a sweep file; never throws, whatever it is */
export function readSweep(text: string): ReadResult {
  if (text.length > MOST_CHARACTERS) return { problems: [tooLong('the file', text.length)] };
  const lines = new LineCounter();
  const tokens: CST.Token[] = [];
  const mistakes: Mistake[] = [];
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    if (token.type === 'error' && mistakes.push(token) === MOST_PROBLEMS) break;
    tokens.push(token);
  }
  if (mistakes.length === 0) mistakes.push(...tooDeep(tokens));
  const problems = () =>
    mistakes.slice(0, MOST_PROBLEMS).map(({ message, offset }) => {
      const { line, col } = lines.linePos(offset);
      return `line ${line}, column ${col}: ${message}`;
    });
  if (mistakes.length > 0) return { problems: problems() };

  // Key uniqueness is checked below: the composer's own check takes a time that grows with the square of the keys.
  const options = { schema: 'core', strict: true, uniqueKeys: false, logLevel: 'error' } as const;
  const [first, second] = [...new Composer(options).compose(tokens, true, text.length)];
  for (const { message, pos } of [...first!.errors, ...first!.warnings]) mistakes.push({ message, offset: pos[0] });
  if (second !== undefined)
    mistakes.push({ message: 'a second document; give each sweep a file of its own', offset: second.range[0] });
  if (mistakes.length === 0) mistakes.push(...untame(first!));
  if (mistakes.length > 0) return { problems: problems() };
  try {
    return { document: first!.toJS({ maxAliasCount: MOST_ALIASES }) as unknown, problems: [] };
  } catch (error) {
    return { problems: [`aliases (*name): ${(error as Error).message}; write the values out`] };
  }
}

/** What is said of a text that is too long to be a sweep file. */
export const tooLong = (what: string, length: number): string =>
  `${what} has ${thousands(length)} characters, a sweep file at most ${thousands(MOST_CHARACTERS)}; split the sweep`;

/** The first token that nests too deeply, if any; walks without recursion. */
function tooDeep(tokens: readonly CST.Token[]): Mistake[] {
  const left = tokens.map((token) => ({ token, depth: 0 }));
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    const { token } = at;
    const isCollection = 'items' in token;
    const depth = at.depth + (isCollection ? 1 : 0);
    if (depth > DEEPEST)
      return [{ message: `nests more than ${DEEPEST} levels deep; a sweep file needs 6`, offset: token.offset }];
    if (token.type === 'document' && token.value !== undefined) left.push({ token: token.value, depth });
    if (isCollection)
      for (const { key, value } of token.items)
        for (const child of [key, value]) if (child != null) left.push({ token: child, depth });
  }
  return [];
}

/** Keys that are not unique or not plain, and more aliases than a person writes. */
function untame(document: Document.Parsed): Mistake[] {
  const mistakes: Mistake[] = [];
  let aliases = 0;
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const offset = (key as { range?: [number, number, number] }).range?.[0] ?? 0;
        if (!isScalar(key)) mistakes.push({ message: 'a field name must be a plain word', offset });
        else if (seen.has(String(key.value)))
          mistakes.push({ message: `Map keys must be unique: ${shown(key.value)} is given twice`, offset });
        else seen.add(String(key.value));
      }
    },
    Alias(_, { source, range }, ancestors) {
      const offset = range?.[0] ?? 0;
      aliases++;
      if (aliases === MOST_ALIASES + 1)
        mistakes.push({ message: `more than ${MOST_ALIASES} aliases (*name); write the values out`, offset });
      if (ancestors.some((node) => 'anchor' in node && node.anchor === source))
        mistakes.push({
          message: `alias *${shorten(source)} stands inside what it names; write the value out`,
          offset,
        });
    },
  });
  return mistakes;
}
