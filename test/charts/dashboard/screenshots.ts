/** `npm run screenshots [-- DIR]`: the README's pictures of the dashboard, of a finished run; by default of `npm start`'s. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { startChromium } from '../../servers/chromium';
import { freePort } from '../../servers/port';

const ROOT = resolve(__dirname, '../../..');

async function screenshots(folder: string): Promise<void> {
  const port = await freePort();
  const server = spawn(process.execPath, [join(ROOT, 'dist/cli.js'), 'serve', folder, '--http', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const browser = await startChromium();
  try {
    const url = await new Promise<string>((done, fail) => {
      server.stdout.on('data', (data: Buffer) => {
        const said = /^http:\S+/m.exec(data.toString());
        if (said !== null) done(said[0]);
      });
      server.once('exit', () => fail(new Error(`${folder} cannot be served`)));
    });
    for (const [name, colorScheme, cell] of [
      ['sweep', 'light', false],
      ['cell', 'dark', true],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
      await page.goto(url);
      await page.locator('table a').first().click();
      await page.getByRole('img', { name: /Test error/ }).waitFor();
      if (cell) await page.getByRole('gridcell').nth(2).click();
      if (cell) await page.getByText('Surviving weights of each input pixel').waitFor();
      await page.screenshot({ path: join(ROOT, `docs/dashboard-${name}.png`) });
    }
  } finally {
    await browser.close();
    server.kill('SIGTERM');
  }
}

screenshots(process.argv[2] ?? join(ROOT, 'out/quickstart')).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
