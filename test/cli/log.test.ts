import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readable, readableLog } from '../../cli/log';

const read = (event: object) =>
  stripVTControlCharacters(readable(JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.678Z', ...event })));

describe('a line of the log on a terminal', () => {
  it('is the time, what happened, and what else is known of it', () => {
    const line = read({ name: 'trainer', trial: '743d', counts: { left: 2662 }, msg: 'recorded 300-100 seed 1' });
    expect(line).toBe('03:04:05 recorded 300-100 seed 1 trial=743d counts={"left":2662}\n');
  });

  it('says what kind of trouble it is, and where it came from', () => {
    expect(read({ level: 'warn', msg: 'NATS is away' })).toBe('03:04:05 warn: NATS is away\n');
    const err = { message: 'no', stack: 'Error: no\n    at here' };
    expect(read({ level: 'error', err, msg: 'no' })).toBe('03:04:05 error: no\nError: no\n    at here\n');
  });
});

describe('the log of a pod on a terminal', () => {
  it('has its events as lines to read, and the rest as it is', () => {
    const event = JSON.stringify({ level: 'info', time: '2026-01-02T03:04:05.678Z', msg: 'pack 0' });
    const others = ['FATAL ERROR: heap out of memory', '{"time":12}', '{"cut":}', '{}'].join('\n');
    const text = readableLog(`${event}\n${others}\n${event}`);
    expect(stripVTControlCharacters(text)).toBe(`03:04:05 pack 0\n${others}\n03:04:05 pack 0`);
  });
});
