/** A sweep file from the disk to an accepted sweep, and the folder that a run keeps. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { PublishedSweep } from '../bus/bus';
import { acceptSweep } from '../sweep/accept';
import { DataError, SpecError, UsageError } from '../sweep/errors';
import { readSweep } from '../sweep/read';
import type { DatasetShape, DatasetSpec, Sweep, SweepDefinition } from '../sweep/spec';
import { describeDataset, resolveFiles } from '../trainer/data/dataset';

export const SWEEP_FILE = 'sweep.yaml';

/** @throws SpecError with all problems of the file, and of the data that it names */
export function loadSweep(path: string): SweepDefinition {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`${path}: ${code === 'ENOENT' ? 'there is no such sweep file' : message}`);
  }
  const { document, problems } = readSweep(text);
  if (problems.length > 0) throw new SpecError(problems);
  const { dataset, resolved } = withResolvedFiles(document, dirname(resolve(path)));
  let shape: DatasetShape | undefined;
  try {
    if (dataset !== undefined) shape = describeDataset(dataset);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(error.message);
  }
  let sweep: Sweep | undefined;
  try {
    sweep = acceptSweep(resolved, shape);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    problems.push(...error.problems);
  }
  if (sweep === undefined || shape === undefined || problems.length > 0) throw new SpecError(problems);
  return { sweep, shape };
}

/** The document with absolute paths of IDX files, and its data set as far as it can be read. */
function withResolvedFiles(document: unknown, folder: string): { dataset: DatasetSpec | undefined; resolved: unknown } {
  const spec = (document as { spec?: { dataset?: Partial<DatasetSpec> } } | null)?.spec;
  const idx = spec?.dataset?.idx;
  const isComplete = (['trainImages', 'trainLabels', 'testImages', 'testLabels'] as const).every(
    (name) => typeof idx?.[name] === 'string',
  );
  if (!isComplete || spec === undefined)
    return { dataset: idx === undefined ? { name: 'mnist', validation: 0 } : undefined, resolved: document };
  const files = resolveFiles(idx!, folder);
  const dataset = { ...spec.dataset, idx: files };
  return {
    dataset: { idx: files, validation: 0 },
    resolved: { ...(document as object), spec: { ...spec, dataset } },
  };
}

/** The sweep that a folder holds. @throws UsageError when it holds none */
export function loadFolder(folder: string): SweepDefinition {
  const path = join(folder, SWEEP_FILE);
  try {
    readFileSync(path);
  } catch {
    throw new UsageError(
      `${folder}: not the folder of a run (there is no ${SWEEP_FILE}); give the folder that was --out`,
    );
  }
  return loadSweep(path);
}

/** Its owner's is the run; its age, that of the run that began last. */
export const sweepOfFolder = (folder: string): PublishedSweep => ({
  ...{ definition: loadFolder(folder), by: 'owner' },
  since: statSync(join(folder, SWEEP_FILE)).mtimeMs,
});
