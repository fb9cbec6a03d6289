import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { isAlive } from './process';

it('ends the servers of a test process that was killed, and removes their folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-guard-'));
  const script = `
    const { guard, ServerProcess } = require('./process');
    guard(process.argv[1]);
    const server = new ServerProcess({ name: 'sleeper', program: 'sleep', args: ['600'], folder: process.argv[1] });
    server.begin();
    console.log(server.pid);
    setInterval(() => {}, 1000);
  `;
  const test = spawn(process.execPath, ['-r', 'ts-node/register', '-e', script, folder], {
    cwd: __dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const server = await new Promise<number>((done) => test.stdout.once('data', (data) => done(Number(data))));
  expect(isAlive(server)).toBe(true);
  test.kill('SIGKILL');
  await vi.waitFor(() => expect([isAlive(server), existsSync(folder)]).toEqual([false, false]), { timeout: 10_000 });
});
