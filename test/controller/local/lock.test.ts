import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockFolder } from '../../../controller/local/lock';
import { UsageError } from '../../../sweep/errors';
import { temporaryFolder } from '../../idxfiles';

describe('the lock of a folder', () => {
  it('is held by one, named in the refusal, until it is given back', () => {
    const folder = temporaryFolder();
    const unlock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(UsageError);
    expect(() => lockFolder(folder)).toThrow(new RegExp(`process ${process.pid} is running a sweep in this folder`));
    unlock();
    lockFolder(folder)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a dead process is no obstacle', () => {
    const folder = temporaryFolder();
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid }));
    lockFolder(folder)();
  });

  it('of a dead process whose number another has by now is no obstacle', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: process.pid, started: '1' }));
    lockFolder(folder)();
  });

  it.skipIf(process.platform !== 'linux')('of a killed process that nobody has reaped is no obstacle', async () => {
    const folder = temporaryFolder();
    // The shell becomes a sleep that never asks after its child.
    const parent = spawn('bash', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
    const stat = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    const started = stat()[19]!;
    try {
      process.kill(pid, 'SIGKILL');
      for (let tries = 0; tries < 1000 && stat()[0] !== 'Z'; tries++) await new Promise((done) => setTimeout(done, 5));
      expect(stat()[0]).toBe('Z');
      writeFileSync(join(folder, 'lock'), JSON.stringify({ pid, started }));
      lockFolder(folder)();
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('that was cut off as it was written is no obstacle', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'lock'), '{"pi');
    lockFolder(folder)();
  });

  it('of a dead process is taken over by exactly one of many', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1 }));
    const script = `const {lockFolder}=require(${JSON.stringify(join(__dirname, '../../../dist/controller/local/lock.js'))});
      try { lockFolder(${JSON.stringify(folder)}); console.log('held'); setTimeout(() => {}, 1500); } catch (e) { console.log(e.name); }`;
    const outcomes = await Promise.all(
      Array.from(
        { length: 8 },
        () =>
          new Promise<string>((resolve) => {
            let text = '';
            const child = spawn(process.execPath, ['-e', script]);
            child.stdout.on('data', (data: Buffer) => {
              text += data.toString();
            });
            child.on('close', () => resolve(text.trim()));
          }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'held')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'UsageError')).toHaveLength(7);
    expect(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))).toHaveProperty('pid');
  });
});
