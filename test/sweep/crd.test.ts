import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crdFiles } from '../../k8s/crd/generate';
import { resourceDefinition } from '../../sweep/crd';
import { type Schema, SWEEP_SCHEMA } from '../../sweep/schema';
import { STATUS_SCHEMA } from '../../sweep/status';

const FOLDER = resolve(__dirname, '../../k8s/crd');

interface Node {
  [key: string]: unknown;
  description?: string;
  properties?: Record<string, Node>;
  items?: Node;
}
interface Definition {
  spec: { versions: [{ schema: { openAPIV3Schema: Node } }] };
}
const root = (resourceDefinition() as Definition).spec.versions[0].schema.openAPIV3Schema;

/** All places of a schema beside the same of the definition. */
function* pairs(schema: Schema, node: Node, path: string): Generator<[path: string, schema: Schema, node: Node]> {
  yield [path, schema, node];
  for (const [name, field] of Object.entries(schema.properties ?? {}))
    yield* pairs(field, node.properties![name]!, `${path}.${name}`);
  if (schema.items !== undefined) yield* pairs(schema.items, node.items!, `${path}[]`);
}

const places = [
  ...pairs(SWEEP_SCHEMA.properties!.spec!, root.properties!.spec!, 'spec'),
  ...pairs(STATUS_SCHEMA, root.properties!.status!, 'status'),
];

describe('the resource definition', () => {
  it('is in k8s/crd as it is made now (otherwise: npm run crd)', () => {
    for (const [name, text] of Object.entries(crdFiles())) expect(readFileSync(join(FOLDER, name), 'utf8')).toBe(text);
  });

  it('has every field of the sweep file and of the status, with its description and default, and no other', () => {
    expect(places.length).toBeGreaterThan(70);
    for (const [path, schema, node] of places) {
      expect([path, node.description, node.default]).toEqual([path, schema.description, schema.default]);
      expect([path, Object.keys(node.properties ?? {})]).toEqual([path, Object.keys(schema.properties ?? {})]);
    }
  });

  it('has every bound', () => {
    for (const [path, schema, node] of places) {
      const { minItems, maxItems, minLength, maxLength, pattern, exclusiveMinimum, exclusiveMaximum } = schema;
      const lowest = schema.minimum ?? exclusiveMinimum;
      const highest = schema.maximum ?? exclusiveMaximum;
      if (schema.oneOfTypes === undefined)
        expect([path, node]).toMatchObject([
          path,
          JSON.parse(
            JSON.stringify({
              ...{ type: schema.type, enum: schema.enum, minItems, maxItems, minLength, maxLength, pattern },
              ...{ minimum: lowest, maximum: highest, required: schema.required },
              ...(exclusiveMinimum === undefined ? {} : { exclusiveMinimum: true }),
              ...(exclusiveMaximum === undefined ? {} : { exclusiveMaximum: true }),
            }),
          ),
        ]);
    }
  });

  it('keeps unknown fields where the schema is open, and nowhere else but in a field of two types', () => {
    for (const [path, schema, node] of places)
      expect([path, node['x-kubernetes-preserve-unknown-fields'] ?? false]).toEqual([
        path,
        schema.open === true || path === 'spec.seeds',
      ]);
  });
});
