/**
 * Counts as text, compactly: a count from 0 on is written in groups of seven bits, the least first, each a byte, with the
 * eighth bit set in all but its last (LEB128). A run of zeros is one 0 and the length of the run. The bytes are in base64.
 * 784 counts of fc1 take some 1,000 characters at 10 % of 300-100's weights and 700 at 0.5 %; as a list of numbers they
 * would take twice of that.
 */

/** Pixels of the largest image. */
const MOST = 65_536;

export function encodeCounts(counts: readonly number[]): string {
  const bytes: number[] = [];
  const push = (count: number) => {
    let rest = count;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
    bytes.push(rest);
  };
  for (let at = 0; at < counts.length; ) {
    const first = at;
    while (counts[at] === 0) at++;
    push(counts[first]!);
    if (at > first) push(at - first);
    else at++;
  }
  return btoa(String.fromCharCode(...bytes));
}

/** @throws Error when the text is not one that `encodeCounts` made, of at most 65,536 counts */
export function decodeCounts(text: string): number[] {
  const bytes = Array.from(atob(text), (sign) => sign.charCodeAt(0));
  let at = 0;
  const next = (): number => {
    let [count, unit] = [0, 1];
    for (; at < bytes.length; unit *= 128) {
      const byte = bytes[at++]!;
      count += (byte % 128) * unit;
      if (byte < 128) break;
    }
    return count;
  };
  const counts: number[] = [];
  while (at < bytes.length) {
    const count = next();
    const run = count > 0 ? 1 : next();
    if (counts.length + run > MOST) throw new Error(`more than ${MOST} counts`);
    for (let i = 0; i < run; i++) counts.push(count);
  }
  return counts;
}
