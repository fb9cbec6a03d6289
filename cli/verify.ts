/** `prunesweep verify`: whether a folder holds what its sweep file promises. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { outputs } from '../aggregator/outputs';
import { axesOf } from '../aggregator/table';
import { DataError } from '../sweep/errors';
import { gridPoints, lineagesOf } from '../sweep/grid';
import { layerIndex } from '../sweep/networks';
import type { TrialRecord } from '../sweep/record';
import { loadDataset } from '../trainer/data/dataset';
import { WasmEngine } from '../trainer/engine/wasm';
import { networkPath, parseNetwork } from '../trainer/kept';
import { measure } from '../trainer/measure';
import { type Parameters, survivors } from '../trainer/network';
import { NETWORKS_FOLDER } from './run';
import { loadFolder } from './sweepfile';
import { folderRecords } from './table';

/** @returns the exit code: 0 when all is well, 1 when something is missing or differs */
export async function verify(folder: string): Promise<number> {
  const place = resolve(folder);
  const loaded = loadFolder(place);
  const { sweep, shape } = loaded;
  // Checksums and trial ids are checked as the ledger is read; a repeated record that differs is refused there.
  const records = folderRecords(place);
  const points = gridPoints(sweep.spec, shape);
  const problems: string[] = [];
  const missing = points.filter(({ trial }) => !records.has(trial.id));
  if (missing.length > 0)
    problems.push(
      `${missing.length} of ${points.length} trials have no record, the first is ${missing[0]!.trial.id}; run the sweep again to make them`,
    );
  for (const { name, bytes } of outputs(points, records, axesOf(sweep.spec, shape))) {
    const path = join(place, name);
    if (!existsSync(path)) problems.push(`${name} is missing; run the sweep again to write it`);
    else if (!readFileSync(path).equals(Buffer.from(bytes)))
      problems.push(`${name} is not what the records add up to; run the sweep again to write it`);
  }
  const kept = points.filter(({ trial }) => existsSync(networkPath(join(place, NETWORKS_FOLDER), trial.id)));
  problems.push(...(await verifyNetworks(place, loaded, records)));
  const report = (line: string) => process.stdout.write(`${line}\n`);
  report(`${points.length} trials in the grid, ${points.length - missing.length} with their one record`);
  report(`${kept.length} kept networks${kept.length > 0 ? ' evaluated again' : ''}`);
  for (const problem of problems) report(`PROBLEM: ${problem}`);
  report(problems.length === 0 ? 'All is as it should be.' : `${problems.length} problems.`);
  return problems.length === 0 ? 0 : 1;
}

/** Evaluates each kept network again, and compares everything that its record says of it. */
async function verifyNetworks(
  place: string,
  { sweep, shape }: ReturnType<typeof loadFolder>,
  records: ReadonlyMap<string, TrialRecord>,
): Promise<string[]> {
  const folder = join(place, NETWORKS_FOLDER);
  if (!existsSync(folder)) return [];
  const problems: string[] = [];
  const images = loadDataset(sweep.spec.dataset);
  const engine = new WasmEngine(images);
  for (const { content, sizes, chains } of lineagesOf(sweep.spec, shape))
    for (const { id } of chains.flat()) {
      const path = networkPath(folder, id);
      const record = records.get(id);
      if (!existsSync(path) || record === undefined) continue;
      let parameters: Parameters;
      try {
        parameters = parseNetwork(readFileSync(path), sizes, path);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        problems.push(`${error.message}; delete it and run again with --keep-networks to make it again`);
        continue;
      }
      const subsets = { validation: images.subsets.validation !== undefined, probe: images.probe };
      const linear = (content.training.linear ?? []).map(layerIndex);
      const again = await measure(engine, sizes, parameters, survivors(parameters), linear, subsets);
      for (const [field, value] of Object.entries(again)) {
        const recorded = record[field as keyof typeof again];
        // What was written at version 1 has no map.
        if (recorded !== undefined && JSON.stringify(recorded) !== JSON.stringify(value))
          problems.push(
            `${NETWORKS_FOLDER}/${id}.npz: ${field} is ${shorten(value)}, its record says ${shorten(recorded)}`,
          );
      }
    }
  return problems;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
