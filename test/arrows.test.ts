import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(__dirname, '..');

/** Which rooms a room may import, beside itself. */
const ARROWS: Record<string, readonly string[]> = {
  sweep: [],
  bus: ['sweep'],
  trainer: ['sweep', 'bus'],
  controller: ['sweep', 'bus'],
  aggregator: ['sweep', 'bus'],
  charts: ['sweep'],
  cli: ['sweep', 'bus', 'trainer', 'controller', 'aggregator', 'charts'],
};

/** What pure rooms must not reach for: anything that reads or writes the world. Hashing is none of it. */
const PURE = ['sweep'];
const PURE_MODULES = ['node:crypto', 'ajv', 'yaml', 'fflate'];

function sources(room: string): string[] {
  const folder = join(ROOT, room);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name));
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import|require(?:\.resolve)?\()\s*'([^']+)'/g)].map((match) => match[1]!);
}

const rooms = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name in ARROWS)
  .map(({ name }) => name);

describe('arrows go one way', () => {
  it('and every room that there is has its arrows written down', () => {
    expect(rooms).toEqual(expect.arrayContaining(['sweep', 'bus', 'trainer', 'controller', 'aggregator', 'cli']));
    for (const room of rooms) expect(sources(room).length).toBeGreaterThan(0);
  });

  for (const room of rooms)
    it(`${room} imports ${ARROWS[room]!.join(', ') || 'nothing of the project'}`, () => {
      const strays = sources(room).flatMap((file) =>
        imports(file)
          .filter((name) => name.startsWith('.'))
          .map((name) => relative(ROOT, resolve(dirname(file), name)).split('/')[0]!)
          .filter((target) => target in ARROWS && target !== room && !ARROWS[room]!.includes(target))
          .map((target) => `${relative(ROOT, file)} -> ${target}`),
      );
      expect(strays).toEqual([]);
    });

  it('and NATS is spoken in bus/nats alone', () => {
    const strays = rooms
      .flatMap(sources)
      .filter((file) => imports(file).includes('nats'))
      .map((file) => relative(ROOT, dirname(file)));
    expect(new Set(strays)).toEqual(new Set([join('bus', 'nats')]));
  });

  for (const room of PURE)
    it(`${room} does no I/O`, () => {
      const strays = sources(room).flatMap((file) =>
        imports(file)
          .filter((name) => !name.startsWith('.') && !PURE_MODULES.includes(name))
          .map((name) => `${relative(ROOT, file)} -> ${name}`),
      );
      expect(strays).toEqual([]);
    });
});

describe('results are the same on every machine', () => {
  it('since nothing in their path uses mathematics whose last bit V8 does not promise', () => {
    const free = new Set([
      'abs',
      'ceil',
      'floor',
      'fround',
      'imul',
      'max',
      'min',
      'round',
      'sign',
      'sqrt',
      'trunc',
      'LN2',
      'LOG2E',
      'SQRT2',
    ]);
    const strays = ['sweep', 'trainer', 'aggregator'].flatMap((room) =>
      sources(room).flatMap((file) => {
        const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
        const uses = [...code.matchAll(/Math\.(\w+)/g)].map((match) => match[1]!).filter((name) => !free.has(name));
        return uses.map((name) => `${relative(ROOT, file)}: Math.${name}`);
      }),
    );
    expect(strays).toEqual([]);
  });
});
