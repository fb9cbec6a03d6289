/** A sweep as it travels: its YAML, as accepted, and the shape of its data, which only who has the files can read. */
import { hash } from 'node:crypto';
import { acceptSweep, sweepYaml } from './accept';
import { SpecError } from './errors';
import { readSweep } from './read';
import type { DatasetShape, SweepDefinition } from './spec';

export const encodeDefinition = ({ sweep, shape }: SweepDefinition): string =>
  JSON.stringify({ sweep: sweepYaml(sweep), shape });

/** Another for another grid. */
export const definitionId = (definition: SweepDefinition): string =>
  hash('sha256', encodeDefinition(definition)).slice(0, 8);

/** @throws Error that says why the text is none */
export function decodeDefinition(text: string): SweepDefinition {
  const { sweep, shape } = (JSON.parse(text) ?? {}) as { sweep?: unknown; shape?: unknown };
  if (typeof sweep !== 'string' || !isShape(shape)) throw new Error('not a sweep with the shape of its data set');
  const { document, problems } = readSweep(sweep);
  if (problems.length > 0) throw new SpecError(problems);
  return { sweep: acceptSweep(document, shape), shape };
}

function isShape(value: unknown): value is DatasetShape {
  const { inputs, classes, trainImages, testImages, identity } = (value ?? {}) as Partial<DatasetShape>;
  return (
    [inputs, classes, trainImages, testImages].every((count) => Number.isInteger(count) && count! > 0) &&
    typeof identity === 'string'
  );
}
