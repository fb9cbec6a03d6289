/** One schedule from its first fault to the table, and everything that must be so whatever went wrong. */

import { setTimeout as sleep } from 'node:timers/promises';
import { inStream } from './instream';
import { Line } from './line';
import type { Fault, Schedule } from './schedule';

export interface Undisturbed {
  sweep: string;
  name: string;
  trials: number;
  trialsCsv: string;
  tableCsv: string;
}

export interface Outcome {
  milliseconds: number;
  /** What must not be, none if all is well. */
  problems: string[];
}

const BACKED_UP_AT = 1500;
const SETTLES_WITHIN = 120_000;

async function inject(line: Line, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      return line.kill(fault.whom);
    case 'stop':
      line.pauseOrContinue(fault.whom, 'SIGSTOP');
      await sleep(fault.lasts);
      return line.pauseOrContinue(fault.whom, 'SIGCONT');
    case 'network':
      line.proxies.get(fault.whom)!.set(fault.mode);
      await sleep(fault.lasts);
      return line.proxies.get(fault.whom)!.set('pass');
    case 'store':
      return line.spoilStore(fault.damage);
    case 'restore':
      return line.restore();
  }
}

async function get(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}

const isComplete = (status: string | undefined) =>
  status !== undefined && (JSON.parse(status) as { complete: boolean }).complete;

/** @param http a free port */
export async function runSchedule(
  schedule: Schedule,
  { sweep, name, trials, trialsCsv, tableCsv }: Undisturbed,
  folder: string,
  http: number,
): Promise<Outcome> {
  const problems: string[] = [];
  const began = performance.now();
  const line = await Line.start(folder, sweep, http, schedule.clocksJump ? schedule.seed : undefined);
  const api = `http://127.0.0.1:${http}/api/sweeps/${name}`;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const before = line.restores;
      if (isComplete(await get(api))) {
        const there = await inStream(line.nats.url);
        if (there !== undefined && before === line.restores && there.size < trials)
          problems.push(`complete was claimed with ${there.size} of ${trials} records in the ledger`);
      }
      await sleep(100);
    }
  })();
  try {
    const needsBackup = schedule.faults.some(({ kind }) => kind === 'restore');
    const backup = needsBackup ? sleep(BACKED_UP_AT).then(() => line.backUp()) : Promise.resolve();
    await Promise.all([backup, ...schedule.faults.map((fault) => sleep(fault.at).then(() => inject(line, fault)))]);
    for (const trainer of ['trainer-0', 'trainer-1'] as const) {
      const program = line.programs.get(trainer)!;
      if (line.restores > 0) {
        // Records are gone that were acknowledged: as the log of the aggregator says, the trainers are run again.
        await Promise.race([program.done, sleep(SETTLES_WITHIN)]);
        program.start();
      }
    }
    const until = performance.now() + SETTLES_WITHIN;
    while (!isComplete(await get(api)) && performance.now() < until) await sleep(100);
    isOver = true;
    await watching;

    const there = (await inStream(line.nats.url)) ?? new Set();
    if (there.size !== trials) problems.push(`${there.size} of ${trials} trials have their record in the ledger`);
    for (const id of line.acknowledged) if (!there.has(id)) problems.push(`acknowledged and not there: ${id}`);
    for (const [file, expected] of [
      ['trials.csv', trialsCsv],
      ['table.csv', tableCsv],
    ] as const) {
      const text = await get(`${api}/${file}`);
      if (text !== expected) problems.push(`${file} is not that of the undisturbed run`);
    }
    for (const [who, { exits }] of line.programs)
      if (exits.length > 0) problems.push(`${who} ended by itself, with ${exits.join(', ')}`);
    if (problems.length > 0)
      for (const [who, { log }] of line.programs) problems.push(`--- ${who}\n${log.split('\n').slice(-40).join('\n')}`);
  } finally {
    isOver = true;
    await watching;
    await line.stop();
  }
  return { milliseconds: performance.now() - began, problems };
}
