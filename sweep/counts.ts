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

/**
 * Calls with each count of the text, as often as it runs.
 * @throws Error when the text is not one that `encodeCounts` made, of at most 65,536 counts
 */
function eachRun(text: string, call: (count: number, run: number) => void): void {
  const bytes = atob(text);
  let [number, unit, zeros, length] = [0, 1, false, 0];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes.charCodeAt(at);
    number += (byte & 127) * unit;
    unit *= 128;
    if (byte > 127) continue;
    const run = zeros ? number : number > 0 ? 1 : 0;
    length += run;
    if (length > MOST) throw new Error(`more than ${MOST} counts`);
    if (run > 0) call(zeros ? 0 : number, run);
    zeros = !zeros && number === 0;
    [number, unit] = [0, 1];
  }
  if (zeros || unit > 1) throw new Error('it ends within a count');
}

/** @throws Error as `eachRun` */
export function decodeCounts(text: string): number[] {
  const counts: number[] = [];
  eachRun(text, (count, run) => {
    for (let i = 0; i < run; i++) counts.push(count);
  });
  return counts;
}

/**
 * The sum, in a tenth of the time: it is made of each record that is read.
 * @throws Error as `eachRun`
 */
export function sumOfCounts(text: string): number {
  let sum = 0;
  eachRun(text, (count) => {
    sum += count;
  });
  return sum;
}
