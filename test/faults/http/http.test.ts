/** Odd requests to `prunesweep serve`, many at once, from many addresses: FAULT_SCHEDULES of them, of the seeds from FAULT_SEED. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MadeUpRun } from '../../aggregator/folder';
import { start } from '../../cli/prunesweep';
import { temporaryFolder } from '../../idxfiles';
import { freePort } from '../../servers/port';
import { type OddRequest, oddRequest } from './requests';

const COUNT = Number(process.env.FAULT_SCHEDULES ?? 3000);
const FIRST = Number(process.env.FAULT_SEED ?? 1);
const TOGETHER = 16;
/** The most that one waits for an answer, or says nothing, in ms. */
const [PATIENCE, SILENCE] = [10_000, 100];
/** Within the bounds that it says it has, a server may refuse. */
const IS_BOUND = /^HTTP\/1.1 503 .*retry-after: 5/s;

interface Outcome {
  /** Undefined when the server closed the connection without a word, or none was waited for. */
  status: number | undefined;
  text: string;
  isLate: boolean;
}

/** @param source an address of loopback, so that no address asks too often */
async function send(port: number, source: string, { bytes, then }: OddRequest): Promise<Outcome> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: source });
  let text = '';
  let isLate = false;
  socket.setEncoding('latin1').on('data', (data: string) => {
    if (text.length < 2000) text += data;
    const isStream = /content-type: text\/event-stream/i.test(text);
    if (then !== 'read' || isStream || !/connection: close/i.test(text)) socket.destroy();
  });
  socket.on('error', () => {});
  socket.once('connect', () => {
    socket.write(bytes);
    if (then === 'leave at once') socket.destroy();
    // Half a request may be all that there is, and so may be the end of one that asks for no answer.
    else setTimeout(() => (text === '' ? socket.end() : undefined), SILENCE);
  });
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, PATIENCE);
  await once(socket, 'close').catch(() => {});
  clearTimeout(timer);
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  return { status: status === undefined ? undefined : Number(status), text, isLate };
}

async function megabytes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)![1]) / 1e6;
}

describe('odd requests', () => {
  it(`${COUNT} of the seeds from ${FIRST}: each is answered or refused, none is an error of the server, and it serves on`, async () => {
    const run = new MadeUpRun(join(temporaryFolder(), 'out'), { hiddenWidths: [[5], [4, 3]], seeds: 3 });
    run.write(0, 10);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const { process: server, outcome } = start(['serve', run.folder, '--http', `127.0.0.1:${port}`]);
    onTestFinished(async () => {
      server.kill('SIGTERM');
      const { code, stderr } = await outcome;
      expect(code).toBe(0);
      // An error that nobody is told of is one all the same.
      expect(
        stderr
          .split('\n')
          .filter((line) => line.includes('"level":"error"'))
          .slice(0, 5),
      ).toEqual([]);
    });
    const recorded = async () => {
      const answer = await fetch(`${url}/api/sweeps/test`).catch(() => undefined);
      return ((await answer?.json()) as { trials?: { recorded: number } } | undefined)?.trials?.recorded;
    };
    await expect.poll(recorded, { timeout: 30_000 }).toBe(10);
    const statuses = new Map<number | undefined, number>();
    const wrong: string[] = [];
    let next = FIRST;
    const work = async (until: number) => {
      while (next < until) {
        const seed = next++;
        const request = oddRequest(seed, run.records[0]!.id);
        const { status, text, isLate } = await send(port, `127.0.1.${1 + (seed % 200)}`, request);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (isLate || (status !== undefined && status >= 500 && !IS_BOUND.test(text)))
          wrong.push(
            `seed ${seed}${isLate ? ', no answer' : ''}: ${request.bytes.subarray(0, 300)} -> ${text.split('\r\n\r\n').at(-1)}`,
          );
      }
    };
    const all = (until: number) => Promise.all(Array.from({ length: TOGETHER }, () => work(until)));
    await all(FIRST + Math.ceil(COUNT / 3));
    const before = await megabytes(url);
    await all(FIRST + COUNT);
    const grown = (await megabytes(url)) - before;
    process.stdout.write(`${JSON.stringify({ ...Object.fromEntries(statuses), grown_mb: Math.round(grown) })}\n`);
    expect(wrong.slice(0, 5)).toEqual([]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics.match(/^prunesweep_rebuilds .*/m)?.[0]).toBe('prunesweep_rebuilds 0');
    expect(grown).toBeLessThan(100);
    // Whatever is bounded is free again.
    expect(statuses.get(200)).toBeGreaterThan(COUNT / 15);
    await expect.poll(recorded).toBe(10);
  });
});
