import { describe, expect, it } from 'vitest';
import { MOST_CHARACTERS, readSweep } from '../../sweep/read';

const problem = (text: string) => readSweep(text).problems[0];
const asMuchAsFits = (part: (index: number) => string, start = '') => {
  let text = start;
  for (let index = 0; text.length + part(index).length <= MOST_CHARACTERS; index++) text += part(index);
  return text;
};

describe('a sweep file that nests too deeply', () => {
  // Composing these would end the process: the stack runs out inside a regular expression.
  const deep: Record<string, string> = {
    brackets: '['.repeat(9000),
    'closed brackets': '['.repeat(9000) + ']'.repeat(9000),
    'brackets that quotes close for a careless reader': '["]",'.repeat(9000),
    'brackets that comments close for a careless reader': '[ #]\n'.repeat(9000),
    braces: '{'.repeat(9000),
    'braces with keys': '{a: '.repeat(9000),
    'lists in lists': '- '.repeat(9000),
    'keys in keys': '? '.repeat(9000),
    'lists and keys in turn': '- ? '.repeat(9000),
    'ever deeper indentation': Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
  };
  for (const [name, text] of Object.entries(deep))
    it(`is refused with the place: ${name}`, () => {
      expect(problem(text)).toMatch(/^line \d+, column \d+: nests more than 64 levels deep/);
    });

  it('is one of 65 levels, not of 64', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(problem(nested(64))).toBeUndefined();
    expect(problem(nested(65))).toMatch(/nests more than 64/);
  });

  it('is not one with many brackets beside each other, or in texts', () => {
    expect(problem(`a: [${'[1], '.repeat(500)}]\nb: "${'['.repeat(500)}"`)).toBeUndefined();
  });
});

describe('a key', () => {
  it('that is given twice is refused where it is given again, at any level', () => {
    expect(problem('a: 1\nb: {c: 1, d: 2, c: 3}')).toBe(
      'line 2, column 17: Map keys must be unique: "c" is given twice',
    );
    expect(problem('a: [{1: x, "1": y}]')).toMatch(/"1" is given twice/);
    expect(problem('__proto__: 1\n__proto__: 2')).toMatch(/"__proto__" is given twice/);
  });

  it('that is a list or an object is refused', () => {
    for (const text of ['? [a]\n: 1', '? {a: 1}\n: 1', 'a: &a x\n? *a\n: 1'])
      expect(problem(text)).toMatch(/a field name must be a plain word/);
  });
});

describe('aliases', () => {
  it('stand for what they name', () => {
    expect(readSweep('a: &widths [300, 100]\nb: [*widths, *widths]').document).toEqual({
      a: [300, 100],
      b: [
        [300, 100],
        [300, 100],
      ],
    });
  });

  it('are refused when there are too many, when they explode, and when they name nothing or themselves', () => {
    expect(problem(`a: &a 1\nb: [${'*a, '.repeat(101)}]`)).toMatch(/^line 2, column \d+: more than 100 aliases/);
    const explosion = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}]`);
    expect(problem(`a0: &a0 [x]\n${explosion.join('\n')}`)).toMatch(/^aliases \(\*name\): Excessive alias count/);
    expect(problem('a: *b')).toMatch(/^aliases \(\*name\): Unresolved alias/);
    expect(problem('a: &a [*a]')).toBe('line 1, column 8: alias *a stands inside what it names; write the value out');
    expect(problem('a: &a {b: [{c: *a}]}')).toMatch(/alias \*a stands inside/);
  });
});

describe('a large sweep file', () => {
  const large: Record<string, string> = {
    keys: asMuchAsFits((index) => `a${index}:\n`),
    'keys of one object': asMuchAsFits((index) => `${index},`, '{'),
    'equal keys': asMuchAsFits(() => 'a:\n'),
    anchors: asMuchAsFits(() => '- &a x\n'),
    'anchors and aliases': asMuchAsFits(() => '- &a x\n- *a\n'),
    'objects in a list': asMuchAsFits(() => '- a:\n'),
    tags: asMuchAsFits(() => '- !x a\n'),
    'closing brackets': asMuchAsFits(() => ']'),
    documents: asMuchAsFits(() => '---\n'),
    directives: asMuchAsFits(() => '%YAML 1.2\n'),
    comments: asMuchAsFits(() => '#\n'),
    'a text without end': asMuchAsFits(() => 'a', '"'),
  };
  for (const [name, text] of Object.entries(large))
    it(`is read or refused soon, with few words: ${name}`, () => {
      const start = performance.now();
      const { problems } = readSweep(text);
      const milliseconds = performance.now() - start;
      console.info(`${name}: ${milliseconds.toFixed(0)} ms`);
      expect(milliseconds).toBeLessThan(5000); // 10 to 300 ms on an idle core
      expect(problems.length).toBeLessThanOrEqual(5);
      expect(problems.join('\n').length).toBeLessThan(1000);
    });

  it('is refused by its length', () => {
    expect(readSweep(' '.repeat(MOST_CHARACTERS)).problems).toEqual([]);
    expect(readSweep(' '.repeat(MOST_CHARACTERS + 1)).problems).toEqual([
      'the file has 65,537 characters, a sweep file at most 65,536; split the sweep',
    ]);
  });
});
