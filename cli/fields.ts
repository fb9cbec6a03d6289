/** `prunesweep fields`: the schema of a sweep file, read aloud. */

import { type Schema, SWEEP_SCHEMA } from '../sweep/schema';
import { expectation } from '../sweep/wording';

const WIDTH = 110;

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

function describe(name: string, schema: Schema, required: boolean, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const isScalar = schema.type !== 'object' && schema.type !== 'array';
  const hasDefault = schema.default !== undefined && schema.type !== 'object';
  const fallback = hasDefault ? `default ${JSON.stringify(schema.default)}` : required ? 'required' : 'optional';
  const takes =
    isScalar && schema.type !== 'string'
      ? `${expectation(schema)}; `
      : schema.enum === undefined
        ? ''
        : `${expectation(schema)}; `;
  return [
    `${indent}${name}${schema.type === 'array' ? ' (list)' : ''}: ${takes}${fallback}`,
    ...wrapped(schema.description, `${indent}    `),
    ...members(schema.items?.type === 'object' ? schema.items : schema, depth + 1),
  ];
}

function members(schema: Schema, depth: number): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    describe(name, field, schema.required?.includes(name) === true, depth),
  );
}

export function fields(): void {
  process.stdout.write(`${members(SWEEP_SCHEMA, 0).join('\n')}\n`);
}
