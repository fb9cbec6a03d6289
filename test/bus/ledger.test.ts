import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileLedger, readLedger } from '../../bus/ledger';
import { DataError } from '../../sweep/errors';
import { gridPoints } from '../../sweep/grid';
import { MNIST, recordOf, sweepOf } from '../fixtures';
import { temporaryFolder } from '../idxfiles';

const records = gridPoints(sweepOf({ seeds: 2 }).spec, MNIST).map((point, index) => recordOf(point, 9000 + index));

function ledgerOf(count = records.length): string {
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = new FileLedger(path);
  for (const record of records.slice(0, count)) ledger.append(record);
  ledger.close();
  return path;
}

const lines = (path: string) => readFileSync(path, 'utf8').split('\n');

describe('the ledger', () => {
  it('gives back what was appended, to who opens it and to who reads it', () => {
    const path = ledgerOf();
    expect([...new FileLedger(path).records.values()]).toEqual(records);
    expect([...readLedger(path).values()]).toEqual(records);
  });

  it('is a line of JSON a record', () => {
    expect(
      lines(ledgerOf())
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toEqual(records.map(({ id }) => id));
  });

  it('drops a last line that was cut off anywhere, and goes on after it', () => {
    const path = ledgerOf(3);
    const whole = readFileSync(path);
    const second = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (let length = second; length < whole.length; length += 97) {
      writeFileSync(path, whole.subarray(0, length));
      expect([...readLedger(path).values()]).toEqual(records.slice(0, 2));
      const ledger = new FileLedger(path);
      expect(ledger.records.size).toBe(2);
      ledger.append(records[2]!);
      ledger.close();
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
  });

  it('is left as it was by who only reads it, even when its last line is cut off', () => {
    const path = ledgerOf(2);
    truncateSync(path, readFileSync(path).length - 5);
    const before = readFileSync(path);
    readLedger(path);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('does not write an equal record again', () => {
    const path = ledgerOf(2);
    const ledger = new FileLedger(path);
    ledger.append({ ...records[0]!, cost: { ...records[0]!.cost, trainingSeconds: 99 } });
    ledger.close();
    expect(lines(path)).toHaveLength(3);
  });

  it('refuses a record that contradicts the one that it has', () => {
    const ledger = new FileLedger(ledgerOf(2));
    expect(() => ledger.append({ ...records[0]!, flopFraction: 0.5 })).toThrow(/measured twice with different results/);
  });

  const damages: [string, (text: string[]) => string[], RegExp][] = [
    [
      'one digit changed',
      ([a, b, ...rest]) => [a!, b!.replace('"correct":9001', '"correct":9901'), ...rest],
      /line 2: its checksum does not match/,
    ],
    ['a line of garbage', ([a, ...rest]) => [a!, 'garbage', ...rest], /line 2: not a record with its checksum/],
    ['a cut line in the middle', ([a, b, ...rest]) => [a!.slice(0, 100), b!, ...rest], /line 1: not a record/],
    ['a line of binary zeros', ([a, ...rest]) => ['\0'.repeat(100), a!, ...rest], /line 1: not a record/],
  ];
  for (const [name, damage, message] of damages)
    it(`refuses to be read with ${name}, and says which line`, () => {
      const path = ledgerOf(3);
      writeFileSync(path, damage(lines(path)).join('\n'));
      expect(() => readLedger(path)).toThrow(message);
      expect(() => new FileLedger(path)).toThrow(DataError);
    });

  it('refuses a record whose id is not that of its content, checksum or not', () => {
    const path = ledgerOf(1);
    const ledger = new FileLedger(path);
    ledger.append({ ...records[1]!, id: records[2]!.id });
    ledger.close();
    expect(() => readLedger(path)).toThrow(/line 2: its trial id .* is not that of its trial/);
  });

  it('takes a line as often as it is there', () => {
    const path = ledgerOf(2);
    appendFileSync(path, `${lines(path)[0]}\n`);
    expect(readLedger(path).size).toBe(2);
  });
});
