/**
 * `npm run bench -- dashboard`: the page of a sweep of 10,000 cells in a real Chromium, while NATS carries its records, beside
 * TensorBoard's page of the same table. The last line is JSON.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { connectNats, type NatsLink } from '../bus/nats/connect';
import { ensureStreams } from '../bus/nats/streams';
import { recordSubject } from '../bus/nats/subjects';
import { NatsSweeps } from '../bus/nats/sweeps';
import type { Cell } from '../sweep/cells';
import { gridPoints } from '../sweep/grid';
import { median } from '../sweep/statistics';
import { MNIST, recordOf } from '../test/fixtures';
import { startChromium } from '../test/servers/chromium';
import { NatsServer } from '../test/servers/natsserver';
import { obtainNats } from '../test/servers/obtain';
import { freePort } from '../test/servers/port';
import { end, mapOf, residentMegabytes, SWEEP, startAggregator } from './aggregator';
import { python } from './peers/peers';
import { spread } from './statistics';

const ASSETS = join(__dirname, '..', 'dist', 'dashboard');
const RUNS = 5;
/** Records that are there before the page is opened, and those that arrive while it is, a second. */
const [BEFORE, PER_SECOND] = [40_000, 1000];
const SCROLL_SECONDS = 5;
const VIEWPORT = { width: 1400, height: 900 };

const log = (line: string) => process.stdout.write(`${line}\n`);
const say = (line: string) => process.stderr.write(`${line}\n`);

const ordered = gridPoints(SWEEP.spec, MNIST);
/** Records come from all over the grid, so that each event changes the curve too; the step has no factor in common with their number. */
const points = ordered.map((_, at) => ordered[(7919 * at) % ordered.length]!);

function recordText(at: number): string {
  const record = recordOf(points[at]!, 9000 + (at % 900));
  return JSON.stringify({ ...record, survivorsByInput: mapOf(record.remainingByLayer[0]!) });
}

class Publisher {
  private next = 0;
  /** Made before they are wanted, so that making them takes nothing from what is measured. */
  private readonly texts = points.map((_, at) => Buffer.from(recordText(at)));

  constructor(private readonly link: NatsLink) {}

  /** One after the other would be slower than the ledger is. @returns when each was acknowledged, ms since 1970 */
  async publish(count: number): Promise<number[]> {
    const stream = this.link.connection.jetstream({ timeout: 60_000 });
    const from = this.next;
    this.next += count;
    return Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const at = from + index;
        await stream.publish(recordSubject(points[at]!.trial.id), this.texts[at]!);
        return Date.now();
      }),
    );
  }
}

/** Milliseconds from the start of a navigation to the frame in which `selector` shows something, each time in a new profile. */
async function firstPaints(browser: Browser, url: string, selector: string): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const context = await browser.newContext({ viewport: VIEWPORT });
    const page = await context.newPage();
    await page.addInitScript((wanted) => {
      const shows = () =>
        [...document.querySelectorAll(wanted)].some((found) => found.getBoundingClientRect().height > 0);
      const look = () => {
        if (!shows()) requestAnimationFrame(look);
        else requestAnimationFrame(() => Object.assign(window, { painted: performance.now() }));
      };
      look();
    }, selector);
    await page.goto(url);
    const painted = await page.waitForFunction(() => (window as { painted?: number }).painted, undefined, {
      timeout: 120_000,
    });
    times.push((await painted.jsonValue())!);
    await context.close();
  }
  // The first one finds Chromium and the server cold.
  return times.slice(1);
}

/** Frames a second, and the longest time between two in ms, while a person turns the wheel and moves over the cells. */
async function scrolling(page: Page): Promise<{ frames: number; longest: number }> {
  const box = (await page.locator('.scroll').boundingBox())!;
  await page.evaluate(() => {
    const frames: number[] = [];
    let asked = 0;
    const note = (time: number) => {
      frames.push(time);
      asked = requestAnimationFrame(note);
    };
    asked = requestAnimationFrame(note);
    // Else the page would draw sixty frames a second for ever after.
    const stop = () => {
      cancelAnimationFrame(asked);
      return frames;
    };
    Object.assign(window, { stop });
  });
  const until = performance.now() + 1000 * SCROLL_SECONDS;
  for (let turn = 0; performance.now() < until; turn++) {
    await page.mouse.move(box.x + 300 + ((37 * turn) % 500), box.y + 100 + ((53 * turn) % 300));
    await page.mouse.wheel(0, turn % 200 < 100 ? 120 : -120);
  }
  const frames = await page.evaluate(() => (window as unknown as { stop(): number[] }).stop());
  const gaps = frames.slice(1).map((time, index) => time - frames[index]!);
  return { frames: (1000 * gaps.length) / (frames.at(-1)! - frames[0]!), longest: Math.max(...gaps) };
}

interface Shown {
  recorded: number;
  /** ms since 1970 at the frame after the change. */
  at: number;
}

/** Notes each count of records that the page shows. The count is in the same event as the cells, and drawn with them. */
const noteShown = (page: Page) =>
  page.evaluate(() => {
    const shown: Shown[] = [];
    Object.assign(window, { shown });
    const bar = document.querySelector('progress')!;
    new MutationObserver(() => {
      const recorded = bar.value;
      requestAnimationFrame(() => setTimeout(() => shown.push({ recorded, at: Date.now() })));
    }).observe(bar, { attributes: true });
  });

/** The process that draws the page: all that it has resident, Chromium's own code included. */
async function tabMegabytes(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const renderers = processInfo.filter(({ type }) => type === 'renderer');
  return Math.max(...renderers.map(({ id }) => residentMegabytes(id, 'VmRSS')));
}

interface Live {
  /** From the acknowledgement of a record to the frame that counts it, in ms, ascending. */
  delays: number[];
  megabytes: number[];
  frames: number;
}

/** Records arrive at an even pace, while the page is open and somebody scrolls. */
async function whileRecordsArrive(browser: Browser, page: Page, publisher: Publisher): Promise<Live> {
  const [rounds, each] = [10, PER_SECOND / 10];
  const total = points.length - BEFORE;
  await noteShown(page);
  const acknowledged: Promise<number[]>[] = [];
  const megabytes: number[] = [];
  const scrolls: Promise<{ frames: number }>[] = [];
  const began = performance.now();
  for (let batch = 0; batch < total / each; batch++) {
    await sleep(Math.max(0, began + (1000 * batch) / rounds - performance.now()));
    acknowledged.push(publisher.publish(each));
    if (batch % 100 === 50) megabytes.push(await tabMegabytes(browser));
    if (batch === 200) scrolls.push(scrolling(page));
  }
  const times = (await Promise.all(acknowledged)).flat().sort((a, b) => a - b);
  const shown = () => page.evaluate(() => (window as unknown as { shown: Shown[] }).shown);
  while (((await shown()).at(-1)?.recorded ?? 0) < points.length) await sleep(100);
  const changes = await shown();
  let change = 0;
  const delays = times.map((time, index) => {
    while (changes[change]!.recorded < BEFORE + index + 1) change++;
    return changes[change]!.at - time;
  });
  megabytes.push(await tabMegabytes(browser));
  return { delays: delays.sort((a, b) => a - b), megabytes, frames: (await scrolls[0]!).frames };
}

/** Scripts and styles as a first visit loads them; a font is loaded when a picture is taken away. */
const bundleKilobytes = () =>
  readdirSync(ASSETS, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(js|css|html)$/.test(name))
    .reduce((sum, name) => sum + gzipSync(readFileSync(join(ASSETS, name))).length / 1000, 0);

/** TensorBoard on the same table; it has read all of it before its page is opened. */
async function startTensorboard(table: string, folder: string): Promise<{ child: ChildProcess; url: string }> {
  const program = python('requirements-dashboard.txt');
  const events = join(folder, 'events');
  execFileSync(program, [join(__dirname, 'peers', 'tensorboard_events.py'), events], { input: table });
  const port = await freePort();
  const args = ['--logdir', events, '--port', String(port), '--host', '127.0.0.1'];
  const child = spawn(join(dirname(program), 'tensorboard'), args, { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  const cells = (JSON.parse(table) as Cell[]).filter(({ mean }) => mean !== undefined);
  const lines = new Set(cells.map(({ network, recipe }) => `${network} ${recipe}`)).size;
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`${url}/data/plugin/scalars/tags`).catch(() => undefined);
    const tags = (await answer?.json().catch(() => undefined)) as Record<string, object> | undefined;
    const read = Object.values(tags ?? {}).flatMap((ofRun) => Object.keys(ofRun));
    if (read.length === lines) return { child, url };
    await sleep(200);
  }
  child.kill('SIGTERM');
  throw new Error('TensorBoard has not read its events within two minutes');
}

export async function benchDashboard(): Promise<void> {
  const server = await NatsServer.start(await obtainNats(say));
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-bench-'));
  const link = await connectNats({ url: server.url }, 'bench', say);
  const browser = await startChromium();
  try {
    await ensureStreams(link);
    await new NatsSweeps(link).publish({ definition: { sweep: SWEEP, shape: MNIST }, by: 'owner' });
    const publisher = new Publisher(link);
    for (let at = 0; at < BEFORE; at += PER_SECOND) await publisher.publish(PER_SECOND);
    const aggregator = await startAggregator(server.url, join(folder, 'store'));
    const url = `${aggregator.api}/?sweep=${SWEEP.metadata.name}`;
    const table = await (await fetch(`${aggregator.api}/api/sweeps/${SWEEP.metadata.name}/table.json`)).text();

    const own = await firstPaints(browser, url, '[role=gridcell][style]');
    log(`first useful paint of ${SWEEP.spec.hiddenWidths.length * 100} cells: ${spread(own, 0)} ms`);
    const tensorboard = await startTensorboard(table, folder);
    const theirs = await firstPaints(browser, tensorboard.url, 'line-chart svg path, line-chart canvas').finally(() =>
      tensorboard.child.kill('SIGTERM'),
    );
    log(`TensorBoard's, of the same table as scalars: ${spread(theirs, 0)} ms`);

    const page = await browser.newPage({ viewport: VIEWPORT });
    await page.goto(url);
    await page.locator('[role=gridcell][style]').first().waitFor();
    const still = [];
    for (let run = 0; run < RUNS; run++) still.push(await scrolling(page));
    const frames = still.map((one) => one.frames);
    log(
      `scrolling and hovering: ${spread(frames, 0)} frames a second, the longest pause ${spread(
        still.map(({ longest }) => longest),
        0,
      )} ms`,
    );
    const { delays, megabytes, frames: busy } = await whileRecordsArrive(browser, page, publisher);
    const quantile = (share: number) => delays[Math.floor(share * (delays.length - 1))]!;
    log(
      `${delays.length} records, ${PER_SECOND} a second: shown within ${quantile(0.5)} ms, 95 of 100 within ${quantile(0.95)} ms, all within ${delays.at(-1)} ms`,
    );
    log(
      `scrolling meanwhile: ${busy.toFixed(0)} frames a second; the tab's memory ${megabytes.map((one) => one.toFixed(0)).join(' ')} MB`,
    );
    log(`the aggregator's: ${residentMegabytes(aggregator.child.pid!, 'VmRSS').toFixed(0)} MB`);
    await end(aggregator);
    log(
      JSON.stringify({
        first_paint_ms_10k_cells: Math.round(median(own)),
        update_p95_ms_at_1000_per_s: Math.round(quantile(0.95)),
        frames_per_s_scrolling: Math.round(median(frames)),
        tab_mb: Math.round(Math.max(...megabytes)),
        bundle_kb: Math.round(bundleKilobytes()),
        first_paint_vs_tensorboard: Number((median(theirs) / median(own)).toFixed(2)),
      }),
    );
  } finally {
    await browser.close();
    await link.connection.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
