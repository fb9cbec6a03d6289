import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCounts, encodeCounts } from '../../sweep/counts';

describe('counts as text', () => {
  it('are read as they were written', () => {
    const counts = fc.array(fc.oneof(fc.constant(0), fc.nat(9), fc.nat(2 ** 31)), { maxLength: 900 });
    fc.assert(
      fc.property(counts, (list) => {
        expect(decodeCounts(encodeCounts(list))).toEqual(list);
      }),
    );
  });

  it('are what they have always been', () => {
    expect(encodeCounts([0, 0, 0, 5, 300, 0, 127, 128])).toBe('AAMFrAIAAX+AAQ==');
  });

  it('are short: a map of 784 is about a kilobyte', () => {
    const few = Array.from({ length: 784 }, (_, i) => (i % 28 < 5 || i < 84 ? 0 : i % 4));
    expect(encodeCounts(few).length).toBeLessThan(1010);
  });

  it.each(['not base64 !', btoa('\u0000\u00ff\u00ff\u00ff\u007f')])('are refused when they are none: %s', (text) => {
    expect(() => decodeCounts(text)).toThrow();
  });
});
