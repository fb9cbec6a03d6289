/** YAML to a plain document, as long as it is small and tame. */
import { LineCounter, parseDocument } from 'yaml';

/**
 * A grid of a million trials takes 2 kB. Parsing takes up to 4 µs a byte (nested brackets), so that this much is
 * refused or read within a second.
 */
const MOST_CHARACTERS = 128 * 1024;
const DEEPEST = 64;
const MOST_ALIASES = 100;
/** One mistake in YAML makes many errors; the first ones are of use. */
const MOST_PROBLEMS = 5;

export interface ReadResult {
  document?: unknown;
  problems: string[];
}

/** Nesting that would exhaust the parser's stack, found before it is parsed. */
function nestsTooDeeply(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
    if (depth > DEEPEST) return true;
  }
  return text.split('\n').some((line) => /^(?: *[-?] ){64}/.test(line) || /^ {1000}/.test(line));
}

export function readSweep(text: string): ReadResult {
  if (text.length > MOST_CHARACTERS)
    return {
      problems: [
        `the file has ${text.length.toLocaleString('en-US')} characters, a sweep file at most ${MOST_CHARACTERS.toLocaleString('en-US')}; is it the right file?`,
      ],
    };
  if (nestsTooDeeply(text))
    return { problems: [`the file nests more than ${DEEPEST} levels deep; a sweep file needs 6`] };
  const lineCounter = new LineCounter();
  const parsed = parseDocument(text, {
    schema: 'core',
    strict: true,
    uniqueKeys: true,
    prettyErrors: false,
    lineCounter,
  });
  const problems = [...parsed.errors, ...parsed.warnings].slice(0, MOST_PROBLEMS).map(({ message, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    return `line ${line}, column ${col}: ${message.replace('; please use YAML.parseAllDocuments()', ': give each sweep a file of its own')}`;
  });
  if (problems.length > 0) return { problems };
  try {
    return { document: parsed.toJS({ maxAliasCount: MOST_ALIASES }) as unknown, problems };
  } catch (error) {
    return { problems: [`${(error as Error).message}: aliases (*name) may be used ${MOST_ALIASES} times at most`] };
  }
}
