/** The dashboard as people use it: a real browser on a real sweep that runs. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { MadeUpRun } from '../../aggregator/folder';
import { start, writeSweep } from '../../cli/prunesweep';
import { document as sweepDocument } from '../../fixtures';
import { temporaryFolder } from '../../idxfiles';
import { hasChromium, startChromium, whyNoChromium } from '../../servers/chromium';
import { hasNats, NatsServer, whyNoNats } from '../../servers/nats';
import { freePort } from '../../servers/port';

const MASKED = { criterion: 'magnitude', scope: 'global', recovery: 'masked', schedule: 'iterative' };
const SPEC = {
  hiddenWidths: [[8], [12, 6]],
  pruneRatios: [0, 0.5, 0.9, 0.95],
  seeds: 2,
  recipes: [MASKED, { criterion: 'random', scope: 'global', recovery: 'none', schedule: 'oneshot' }],
  training: { epochs: 8 },
  retraining: { epochs: 2 },
};
const CELLS = 16;
const HOSTILE = '<img src=x onerror="document.title=\'taken\'">';

interface Place {
  url: string;
  folder: string;
  port: number;
  stop(): Promise<void>;
}

const stops: (() => Promise<unknown>)[] = [];

/** Serves folders as a user does, as a process of its own. */
async function serve(folders: string | string[], at?: number): Promise<Place> {
  const [folder] = [folders].flat() as [string];
  const port = at ?? (await freePort());
  const { process: child, outcome } = start(['serve', ...[folders].flat(), '--http', `127.0.0.1:${port}`]);
  const stop = async () => {
    child.kill('SIGTERM');
    await outcome;
  };
  stops.push(stop);
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++)
    try {
      if ((await fetch(`${url}/readyz`)).ok) return { url, folder, port, stop };
    } catch (error) {
      if (tries > 300) throw error;
    } finally {
      await new Promise((done) => setTimeout(done, 100));
    }
}

const cellOf = (page: Page, place: number) => page.getByRole('gridcell').nth(place);

/** Ticks or unticks what there is to choose from. */
async function choose(page: Page, label: 'Networks' | 'Recipes' | 'Seeds', option: string): Promise<void> {
  const box = page.getByRole('group', { name: label, exact: true });
  if (!(await box.isVisible())) await page.getByText(new RegExp(`^${label}: `)).click();
  await box.getByLabel(option, { exact: true }).click();
}

describe.runIf(hasChromium)(`the dashboard${whyNoChromium}`, () => {
  let browser: Browser;
  let place: Place;
  let ended: Promise<unknown>;
  const complaints: string[] = [];

  /** A page that notes whatever the browser finds wrong, and any request to elsewhere. */
  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options });
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) complaints.push(message.text());
    });
    page.on('request', (asked) => {
      if (!asked.url().startsWith(place.url) && !/^(data|blob):/.test(asked.url())) complaints.push(asked.url());
    });
    await page.goto(`${place.url}${path}`);
    return page;
  }

  beforeAll(async () => {
    browser = await startChromium();
    const folder = mkdtempSync(join(tmpdir(), 'prunesweep-test-'));
    stops.push(async () => rmSync(folder, { recursive: true, force: true }));
    const out = join(folder, 'out');
    const run = start(['run', writeSweep(folder, SPEC), '--out', out, '--workers', '1']);
    stops.push(async () => run.process.kill('SIGKILL'));
    ended = run.outcome;
    for (let tries = 0; tries < 600; tries++) {
      try {
        if (readFileSync(join(out, 'sweep.yaml'), 'utf8') !== '') break;
      } catch {}
      await new Promise((done) => setTimeout(done, 50));
    }
    place = await serve(out);
  });

  afterAll(async () => {
    await browser?.close();
    for (const stop of stops.reverse()) await stop();
  });

  it('lists the sweeps, opens one and fills its table while it runs, with what is at work', async () => {
    const page = await open('/');
    const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'test', exact: true }) });
    expect(await row.getByRole('cell').last().textContent()).toMatch(/^\d+ s$/);
    await page.getByRole('link', { name: 'test', exact: true }).click();
    await page.getByText('● live').waitFor();
    expect(await page.getByRole('gridcell').count()).toBe(CELLS);
    await page.getByText(/lineages? at work/).click();
    await page.getByText(/seed \d, .*: epoch \d of \d, loss/).waitFor();
    await ended;
    await page.getByText('✓ complete').waitFor();
    await page.getByText('Every one of the 32 trials has its record in the table').waitFor();
    expect(page.url()).toContain('sweep=test');
    await page.close();
  });

  it('shows the numbers of `prunesweep table`, and draws their curve with what was published', async () => {
    const page = await open('/?sweep=test');
    await cellOf(page, 0).waitFor();
    const table: { network: string; remainingWeights: number; mean: number; high: number }[] = JSON.parse(
      await start(['table', place.folder, '--format', 'json']).outcome.then(({ stdout }) => stdout),
    );
    const shown = (await page.getByRole('gridcell').allInnerTexts()).join(' ');
    for (const { mean, high } of table)
      expect(shown).toContain(`${(100 * mean).toFixed(2)} ± ${(100 * (high - mean)).toFixed(2)}`);
    const picture = page.getByRole('img', { name: /Test error against remaining weights/ });
    const circles = () => picture.locator('circle').count();
    await picture.waitFor();
    const all = await circles();
    await page.getByLabel('published points').uncheck();
    await expect.poll(circles).toBeLessThan(all);
    await choose(page, 'Networks', '8');
    await expect.poll(() => page.getByRole('gridcell').count()).toBe(CELLS / 2);
    await expect.poll(() => picture.textContent()).not.toContain('12-6');
    const again = await open(new URL(page.url()).pathname + new URL(page.url()).search);
    await cellOf(again, 0).waitFor();
    expect(await again.getByRole('gridcell').count()).toBe(CELLS / 2);
    expect(await again.getByLabel('published points').isChecked()).toBe(false);
    await Promise.all([page.close(), again.close()]);
  });

  it('shows some networks, recipes and seeds alone, in the table and in the curve, and a link shows the same', async () => {
    const page = await open('/?sweep=test');
    await cellOf(page, 0).waitFor();
    const picture = page.getByRole('img', { name: /Test error against remaining weights/ });
    const shown = async () => (await page.getByRole('gridcell').allInnerTexts()).join(' ');
    const table = (await start(['table', place.folder, '--format', 'json']).outcome).stdout;
    const cells: { network: string; recipe: string; remainingWeights: number }[] = JSON.parse(table);
    /** Of one seed, as the ledger has it. */
    const accuracyOf = async (seed: number, { network, recipe, remainingWeights }: (typeof cells)[0]) => {
      const query = new URLSearchParams({ network, recipe, remainingWeights: `${remainingWeights}`, seed: `${seed}` });
      const answer = await (await fetch(`${place.url}/api/sweeps/test/trials?${query}`)).json();
      return `${(100 * answer.trials[0].accuracy).toFixed(2)}`;
    };
    await choose(page, 'Seeds', '2');
    await expect.poll(shown).not.toContain('±');
    expect(await page.getByText('Seeds: 2', { exact: true }).count()).toBe(1);
    for (const cell of cells.slice(0, 4)) expect(await shown()).toContain(await accuracyOf(2, cell));
    await expect.poll(() => picture.textContent()).toContain('One seed: there is no interval.');
    expect(await cellOf(page, 0).getAttribute('aria-label')).toContain('1 of 1 trials');
    await choose(page, 'Recipes', 'magnitude/global/masked/iterative');
    await choose(page, 'Networks', '8');
    await choose(page, 'Networks', '12-6');
    await expect.poll(() => page.getByRole('gridcell').count()).toBe(CELLS / 2);
    await choose(page, 'Networks', '8');
    await expect.poll(() => page.getByRole('gridcell').count()).toBe(CELLS / 4);
    await expect.poll(() => picture.textContent()).not.toContain('random');
    await cellOf(page, 1).click();
    const replicates = page.getByRole('table', { name: 'Replicates' });
    await replicates.getByRole('button').first().waitFor();
    expect(await replicates.getByRole('row').count()).toBe(2);
    const again = await open(`/${new URL(page.url()).search}`);
    await cellOf(again, 0).waitFor();
    const texts = (one: Page) => one.getByRole('gridcell').allInnerTexts();
    await expect.poll(() => texts(again)).toEqual(await texts(page));
    await again.getByRole('table', { name: 'Replicates' }).waitFor();
    await again.keyboard.press('Escape');
    for (const label of ['Networks', 'Recipes', 'Seeds'] as const) await choose(again, label, 'all');
    await expect.poll(() => again.getByRole('gridcell').count()).toBe(CELLS);
    await expect.poll(() => cellOf(again, 0).textContent()).toContain('±');
    await Promise.all([page.close(), again.close()]);
  });

  it('links the table and the curve: what is pointed at in one stands out in the other, and a point opens its cell', async () => {
    const page = await open('/?sweep=test');
    const picture = page.getByRole('img', { name: /Test error/ });
    await picture.waitFor();
    const marked = picture.locator('.part.marked');
    const markedCell = page.locator('td.marked');
    await cellOf(page, 5).hover();
    // A band, a line and a point.
    await expect.poll(() => marked.count()).toBe(3);
    expect(await markedCell.textContent()).toBe(await cellOf(page, 5).textContent());
    const point = (await marked.last().boundingBox())!;
    const [x, y] = [point.x + point.width / 2, point.y + point.height / 2];
    await page.mouse.move(0, 0);
    await expect.poll(() => marked.count()).toBe(0);
    await page.mouse.move(x + 3, y);
    await expect.poll(() => markedCell.count()).toBe(1);
    expect(await markedCell.textContent()).toBe(await cellOf(page, 5).textContent());
    const words = await page.getByRole('region', { name: 'Curve' }).textContent();
    expect(words).toContain(await markedCell.getAttribute('aria-label'));
    await page.mouse.click(x, y);
    await page.getByRole('complementary', { name: 'Cell' }).waitFor();
    expect(page.url()).toContain('cell=5');
    await page.keyboard.press('Escape');
    // The keyboard goes on where the point led.
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.textContent))
      .toBe(await cellOf(page, 5).textContent());
    await page.mouse.move(0, 0);
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => markedCell.textContent()).toBe(await cellOf(page, 6).textContent());
    expect(await marked.count()).toBe(3);
    await page.close();
  });

  it('draws the curve again when a point of it changes, and not when others do', async () => {
    const hiddenWidths = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((width) => [width]);
    const run = new MadeUpRun(join(temporaryFolder(), 'out'), { hiddenWidths, pruneRatios: [0, 0.5], seeds: 1 });
    // Eight networks are drawn when none is chosen: all but the last; each has two trials.
    run.write(1, 16);
    const { url } = await serve(run.folder);
    const page = await browser.newPage();
    await page.goto(`${url}/?sweep=test`);
    await page.getByRole('img', { name: /Test error/ }).waitFor();
    await page.evaluate(() => {
      const drawings: unknown[] = [];
      Object.assign(window, { drawings });
      new MutationObserver(() => drawings.push(1)).observe(document.querySelector('.picture')!, { childList: true });
    });
    const drawings = () => page.evaluate(() => (window as unknown as { drawings: unknown[] }).drawings.length);
    run.write(16, 18);
    await page.getByText('1 still to come').waitFor();
    // Longer than the curve rests after a drawing of so few points.
    await page.waitForTimeout(4000);
    expect(await drawings()).toBe(0);
    run.write(0, 1);
    await page.getByText('✓ complete').waitFor();
    await expect.poll(drawings, { timeout: 10_000 }).toBe(1);
    await page.close();
  });

  it('has the rows in sight alone in the page, each with its own cells, and no focus on what is out of sight', async () => {
    const hiddenWidths = Array.from({ length: 300 }, (_, at) => [at + 1]);
    const run = new MadeUpRun(join(temporaryFolder(), 'out'), { hiddenWidths, pruneRatios: [0, 0.5], seeds: 1 });
    run.write(0, 600);
    const { url } = await serve(run.folder);
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(`${url}/?sweep=test`);
    await cellOf(page, 0).focus();
    const grid = page.getByRole('grid', { name: 'Test accuracy, percent' });
    expect(await grid.getAttribute('aria-rowcount')).toBe('301');
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? 'none');
    /** Networks by their rows' places, and the first words of their cells. */
    const rows = () =>
      grid.locator('tbody tr[aria-rowindex]').evaluateAll((all) =>
        all.map((row) => ({
          place: Number(row.getAttribute('aria-rowindex')) - 1,
          network: row.querySelector('th')!.firstChild!.textContent,
          cells: [...row.querySelectorAll('td')].map((cell) => cell.getAttribute('aria-label')!.split(',')[0]),
        })),
      );
    let last = '1';
    for (let pages = 0; pages < 4; pages++) {
      await page.keyboard.press('PageDown');
      await expect.poll(async () => (await focused()).split(',')[0]).not.toBe(last);
      [last] = (await focused()).split(',') as [string];
      const shown = await rows();
      expect(shown.length).toBeLessThan(40);
      expect(shown.map(({ place }) => `${place}`)).toContain(last);
      for (const { place, network, cells } of shown)
        expect({ network, cells }).toEqual({ network: `${place}`, cells: [`${place}`, `${place}`] });
    }
    await page.locator('.scroll').hover();
    await page.mouse.wheel(0, 5000);
    await expect.poll(async () => (await rows())[0]!.place).toBeGreaterThan(Number(last));
    expect(await focused()).toBe('none');
    await page.close();
  });

  it.runIf(hasNats)(`shows what trainers bring through NATS, as they do${whyNoNats}`, async () => {
    const folder = temporaryFolder();
    const nats = await NatsServer.start();
    const port = await freePort();
    const at = ['--nats', nats.url];
    const aggregator = start(['aggregator', ...at, '--store', join(folder, 'store'), '--http', `127.0.0.1:${port}`]);
    onTestFinished(async () => {
      aggregator.process.kill('SIGTERM');
      await aggregator.outcome;
      await nats.stop();
    });
    const url = `http://127.0.0.1:${port}`;
    await expect
      .poll(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok, { timeout: 30_000 })
      .toBe(true);
    const page = await browser.newPage();
    await page.goto(url);
    const sweep = writeSweep(folder, { ...SPEC, hiddenWidths: [[8]], seeds: [5], training: { epochs: 40 } });
    const trainer = start(['trainer', ...at, '--sweep', sweep, '--pack', '0']);
    await page.getByRole('link', { name: 'test', exact: true }).click();
    await page.getByText(/lineages? at work/).click();
    await page.getByText(/seed 5, .*: epoch \d+ of \d+, loss/).waitFor();
    expect((await trainer.outcome).code).toBe(0);
    await page.getByText('✓ complete').waitFor();
    await page.getByText('Ledger: 0 messages behind.').waitFor();
    const table = (await (await fetch(`${url}/api/sweeps/test/table.json`)).json()) as { mean: number }[];
    for (const [place, { mean }] of table.entries())
      expect(await cellOf(page, place).textContent()).toContain((100 * mean).toFixed(2));
    await page.close();
  });

  it('gives its pictures away as SVG and PNG, and its table as Markdown', async () => {
    const page = await open('/?sweep=test', { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.getByRole('img', { name: /Test error/ }).waitFor();
    const saved = async (name: string) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name, exact: true }).first().click(),
      ]);
      expect(download.suggestedFilename()).toBe(name);
      return readFileSync(await download.path());
    };
    expect((await saved('tradeoff.svg')).toString()).toMatch(/^<svg.*remaining weights.*<\/svg>$/s);
    const png = await saved('tradeoff.png');
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    const width = await page.getByRole('img', { name: /Test error/ }).evaluate((svg) => svg.clientWidth);
    expect(png.readUInt32BE(16)).toBeGreaterThanOrEqual(2 * width);
    await page.getByRole('button', { name: 'Copy as Markdown' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const table = await start(['table', place.folder]).outcome;
    expect((await page.evaluate(() => navigator.clipboard.readText())).trim()).toBe(table.stdout.trim());
    await page.close();
  });

  it('compares two sweeps cell by cell, and says which trials are the same', async () => {
    const folder = temporaryFolder();
    const spec = { ...SPEC, hiddenWidths: [[8]], recipes: [MASKED], retraining: { epochs: 3 } };
    writeFileSync(join(folder, 'other.yaml'), stringify(sweepDocument(spec, 'other')));
    const out = join(folder, 'out');
    expect((await start(['run', join(folder, 'other.yaml'), '--out', out]).outcome).code).toBe(0);
    const before = place;
    place = await serve([before.folder, out]);
    const page = await open('/?sweep=test');
    await page.getByLabel('Compare with').selectOption('other');
    const comparison = page.getByRole('region', { name: 'Comparison of two sweeps' });
    await comparison.getByText('the same trials').first().waitFor();
    const tables = await Promise.all(
      [before.folder, out].map(async (one) =>
        JSON.parse((await start(['table', one, '--format', 'json']).outcome).stdout),
      ),
    );
    const [of, ofOther] = tables.map(
      (table: { network: string; recipe: string; remainingWeights: number; mean: number }[]) =>
        table.filter(({ network, recipe }) => network === '8' && recipe.startsWith('magnitude')),
    ) as { remainingWeights: number; mean: number }[][];
    const lines = await comparison.getByRole('row').allInnerTexts();
    expect(lines).toHaveLength(1 + CELLS);
    expect(lines.filter((line) => line.includes('the same trials'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('only in the first'))).toHaveLength(CELLS - 4);
    for (const [at, { mean, remainingWeights }] of of!.entries()) {
      if (at === 0) continue;
      const points = 100 * (ofOther![at]!.mean - mean);
      const line = lines.find(
        (one) => one.includes('magnitude') && one.includes(`\t${remainingWeights.toLocaleString('en')}\t`),
      );
      expect(line).toContain(`${points < 0 ? '−' : '+'}${Math.abs(points).toFixed(2)} (`);
      expect(line).toContain('2 pairs');
    }
    expect(page.url()).toContain('with=other');
    const again = await open(`/${new URL(page.url()).search}`);
    await again.getByText('the same trials').first().waitFor();
    await Promise.all([page.close(), again.close()]);
    await place.stop();
    place = before;
  });

  it('is reached in full by the keyboard alone, and a cell says all that is recorded of it', async () => {
    const page = await open('/?sweep=test');
    await cellOf(page, 0).waitFor();
    const isInGrid = () => page.evaluate(() => document.activeElement?.getAttribute('role') === 'gridcell');
    for (let tabs = 0; tabs < 30 && !(await isInGrid()); tabs++) await page.keyboard.press('Tab');
    expect(await isInGrid()).toBe(true);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    const drawer = page.getByRole('complementary', { name: 'Cell' });
    await drawer.getByText('Surviving weights of each input pixel').waitFor();
    expect(page.url()).toContain('cell=2');
    const id = await drawer.locator('dd code').textContent();
    const [recorded] = readFileSync(join(place.folder, 'ledger.ndjson'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(id!));
    const record = JSON.parse(recorded!);
    const text = await drawer.textContent();
    for (const count of record.remainingByLayer) expect(text).toContain(count.toLocaleString('en'));
    expect(text).toContain(record.cost.host);
    expect(await drawer.locator('figure').nth(1).locator('rect').count()).toBeGreaterThanOrEqual(784);
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    expect(await isInGrid()).toBe(true);
    await page.close();
  });

  for (const [state, options] of Object.entries({
    light: { colorScheme: 'light' },
    dark: { colorScheme: 'dark' },
    'light, 400 pixels wide': { colorScheme: 'light', viewport: { width: 400, height: 700 } },
    // As a browser's zoom lays it out: half of the CSS pixels, each twice as large.
    'light, 200 % zoom': { colorScheme: 'light', viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 },
  } satisfies Record<string, BrowserContextOptions>))
    it(`has nothing that axe-core finds serious, and nothing beyond its edge: ${state}`, async () => {
      for (const path of ['/', '/?sweep=test', '/?sweep=test&cell=2']) {
        const page = await open(path, options);
        await page
          .getByRole(path === '/' ? 'link' : 'gridcell')
          .nth(1)
          .waitFor();
        if (path === '/?sweep=test') await page.getByText(/^Seeds: /).click();
        if (path.includes('cell')) await page.getByText('Surviving weights of each input pixel').waitFor();
        // What a page's own policy refuses, playwright may run: from the debugger's side.
        await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
        const violations = await page.evaluate(async () => {
          const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
          interface Violation {
            id: string;
            impact: string;
            nodes: { html: string }[];
          }
          const found = (await axe.run()).violations.filter(
            ({ impact }) => impact === 'serious' || impact === 'critical',
          );
          return found.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
        });
        expect(violations).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        await page.close();
      }
    });

  it('is one file of a finished sweep, which needs no server and no network', async () => {
    const written = await start(['table', place.folder, '--format', 'html']).outcome;
    expect(written.code).toBe(0);
    const file = join(temporaryFolder(), 'sweep.html');
    writeFileSync(file, written.stdout);
    const context = await browser.newContext({ offline: true });
    const page = await context.newPage();
    const wrong: string[] = [];
    page.on('pageerror', ({ message }) => wrong.push(message));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on('request', (asked) => !/^(data|blob):/.test(asked.url()) && wrong.push(asked.url()));
    await page.goto(pathToFileURL(file).href);
    await page.getByText('Saved in this file').waitFor();
    expect(await page.getByRole('gridcell').count()).toBe(CELLS);
    await page.getByRole('img', { name: /Test error/ }).waitFor();
    await choose(page, 'Networks', '8');
    await expect.poll(() => page.getByRole('gridcell').count()).toBe(CELLS / 2);
    await choose(page, 'Seeds', '1');
    const query = 'network=8&recipe=magnitude/global/masked/iterative&seed=1';
    const { trials } = await (await fetch(`${place.url}/api/sweeps/test/trials?${query}`)).json();
    await expect.poll(() => cellOf(page, 0).textContent()).toContain((100 * trials[0].accuracy).toFixed(2));
    expect(await cellOf(page, 0).getAttribute('aria-label')).toContain('1 of 1 trials');
    await cellOf(page, 2).click();
    await page.getByText('Surviving weights of each input pixel').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'CSV', exact: true }).click(),
    ]);
    const table = await start(['table', place.folder, '--format', 'csv']).outcome;
    expect(readFileSync(await download.path(), 'utf8')).toBe(table.stdout);
    expect(wrong).toEqual([pathToFileURL(file).href]);
    await context.close();
  });

  it('says that the connection is lost, and catches up without a gap when the server is back', async () => {
    const page = await open('/?sweep=test');
    await page.getByText('● live').waitFor();
    await place.stop();
    await page.getByText('Connection lost').waitFor();
    expect(await cellOf(page, 0).textContent()).toContain('±');
    const trial = JSON.parse(readFileSync(join(place.folder, 'ledger.ndjson'), 'utf8').split('\n')[0]!).id;
    appendFileSync(join(place.folder, 'failures.ndjson'), `${JSON.stringify({ trial, reason: HOSTILE })}\n`);
    place = await serve(place.folder, place.port);
    await page.getByText('● live').waitFor();
    await page.getByText('✓ complete').waitFor();
    await page.close();
  });

  it('shows a failed cell without colour, its reason as text whatever is in it, and the command to see more', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    // With l2 = 1 a step of 10 multiplies each weight by -9.
    const training = { epochs: 2, optimizer: 'sgd', learningRate: 10, l2: 1 };
    const diverging = { hiddenWidths: [[8]], pruneRatios: [0], seeds: 1, training };
    const run = await start(['run', writeSweep(folder, diverging, 'failing.yaml'), '--out', out]).outcome;
    expect(run.code).toBe(1);
    const told = JSON.parse(readFileSync(join(out, 'failures.ndjson'), 'utf8').split('\n')[0]!);
    appendFileSync(join(out, 'failures.ndjson'), `${JSON.stringify({ ...told, reason: HOSTILE })}\n`);
    const before = place;
    place = await serve(out);
    const page = await open('/?sweep=test');
    await page.getByText('✕ failed').first().waitFor();
    expect(await cellOf(page, 0).textContent()).toContain('✕');
    // The focus is seen on it, whatever else its outline says.
    await cellOf(page, 0).focus();
    await page.mouse.move(0, 0);
    const outline = () => cellOf(page, 0).evaluate((cell) => getComputedStyle(cell).outlineColor);
    expect(await outline()).toBe(
      await page
        .getByRole('link')
        .first()
        .evaluate((link) => getComputedStyle(link).color),
    );
    await cellOf(page, 0).click();
    await page.getByText(`prunesweep run ${out}/sweep.yaml --out ${out}`).waitFor();
    expect(await page.locator('.drawer').textContent()).toMatch(/failed: /);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe('prunesweep');
    const asFile = await start(['table', out, '--format', 'html']).outcome;
    expect(asFile.stdout).toContain('src=x onerror');
    expect(asFile.stdout).not.toContain('<img');
    const strange = await open(`/?sweep=${encodeURIComponent(HOSTILE)}`);
    await strange.getByRole('heading', { name: HOSTILE }).waitFor();
    expect(await strange.locator('img').count()).toBe(0);
    await Promise.all([page.close(), strange.close()]);
    await place.stop();
    place = before;
  });

  it('loads less than 300 kB, from its own server alone, under a policy without eval or inline scripts', async () => {
    const answer = await fetch(`${place.url}/`);
    const page = await answer.text();
    const parts = [...page.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map((match) => match[1]!);
    expect(parts.length).toBeGreaterThanOrEqual(2);
    let bytes = gzipSync(page).length;
    for (const part of parts) {
      const got = await fetch(`${place.url}/${part.slice(2)}`, { headers: { 'accept-encoding': 'gzip' } });
      expect(got.status).toBe(200);
      bytes += Number(got.headers.get('content-length'));
    }
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300_000);
    const policy = answer.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(complaints).toEqual([]);
  });

  it('answers to names that nobody else can have alone, reads alone, and names no file', async () => {
    const ask = (path: string, host: string, method = 'GET') =>
      new Promise<number>((done, fail) =>
        request({ port: place.port, host: '127.0.0.1', path, method, headers: { host } }, (answer) => {
          answer.resume();
          done(answer.statusCode!);
        })
          .on('error', fail)
          .end(),
      );
    expect(await ask('/api/sweeps', `localhost:${place.port}`)).toBe(200);
    expect(await ask('/api/sweeps', '[::1]:1')).toBe(200);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'localhost@evil.example'])
      expect(await ask('/api/sweeps', host)).toBe(421);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
      expect(await ask('/api/sweeps', 'localhost', method)).toBe(404);
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/assets/..%2f..%2fcli.js', '/assets/%00'])
      expect(await ask(path, 'localhost')).toBeGreaterThanOrEqual(400);
  });
});
