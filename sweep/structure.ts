/** What a document must look like to be a sweep: the schema applied, and its errors in words. */
import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv';
import { type Schema, SWEEP_SCHEMA } from './schema';
import { unknownField } from './unknown';
import { expectation, shown, withArticle } from './wording';

/** What is wrong, and the path of the field whose value can therefore not be used; none for a field too many. */
export interface StructureProblem {
  text: string;
  spoils?: string;
}

/** Checks a document against the schema. The copy that is returned has the defaults, also where there are problems. */
export function checkStructure(document: unknown): { copy: unknown; problems: StructureProblem[] } {
  const copy = structuredClone(document);
  const validate = validator();
  if (validate(copy)) return { copy, problems: [] };
  // One value can break several rules of its schema, and is told once what it should have been.
  const byText = new Map<string, StructureProblem>();
  for (const error of validate.errors ?? []) {
    const problem = explain(error);
    if (problem !== undefined) byText.set(problem.text, problem);
  }
  return { copy, problems: [...byText.values()] };
}

let compiled: ValidateFunction | undefined;

function validator(): ValidateFunction {
  const options = { allErrors: true, strictNumbers: true, useDefaults: true, verbose: true, strict: false };
  compiled ??= new Ajv(options).compile(jsonSchema(SWEEP_SCHEMA));
  return compiled;
}

/** The schema as JSON Schema has it. */
function jsonSchema({ open, oneOfTypes, properties, items, ...rest }: Schema): object {
  if (oneOfTypes !== undefined) {
    // The second form for a value of its type, the first for everything else; both speak of what the field takes.
    const [scalar, other] = oneOfTypes as [Schema, Schema];
    const words = { title: rest.title, expects: expectation({ ...rest, oneOfTypes }) };
    return {
      ...rest,
      if: { type: other.type },
      // biome-ignore lint/suspicious/noThenProperty: JSON Schema's keyword
      then: jsonSchema({ ...other, ...words }),
      else: jsonSchema({ ...scalar, ...words }),
    };
  }
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, jsonSchema(field)]);
  return {
    ...rest,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(fields) }),
    ...(items === undefined ? {} : { items: jsonSchema(items) }),
    ...(rest.type === 'object' && open !== true ? { additionalProperties: false } : {}),
  };
}

function explain({ keyword, instancePath, params, parentSchema, data }: ErrorObject): StructureProblem | undefined {
  const path = fieldPath(instancePath);
  const schema = parentSchema as Schema;
  switch (keyword) {
    case 'if':
      return undefined; // says only that `then` or `else` failed, which has errors of its own
    case 'additionalProperties':
      return { text: unknownField(path, params.additionalProperty as string, Object.keys(schema.properties ?? {})) };
    case 'required': {
      const name = params.missingProperty as string;
      const field = path === '' ? name : `${path}.${name}`;
      const example = schema.properties?.[name]?.example;
      const mend = example === undefined ? `add ${name}` : `for example \`${example}\``;
      return { spoils: field, text: `${field}: missing; ${mend}` };
    }
    default: {
      const place = path === '' ? 'the file' : path;
      return {
        spoils: path,
        text: `${place}: ${shown(data)} is not ${withArticle(schema.title)} (${expectation(schema)})`,
      };
    }
  }
}

/** /spec/hiddenWidths/2/1 to spec.hiddenWidths[2][1]. Only fields of the schema occur, so nothing needs unescaping. */
const fieldPath = (pointer: string): string =>
  pointer
    .split('/')
    .slice(1)
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '');
