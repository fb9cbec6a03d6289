// Preloaded into a process: its clock jumps by up to an hour, forth and back, again and again. CLOCK_SEED says how.
let state = Number(process.env.CLOCK_SEED) || 1;
const next = () => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return state / 2 ** 32;
};
const real = Date.now;
const RealDate = Date;
let [offset, until] = [0, 0];
const now = () => {
  const time = real();
  if (time > until) {
    offset = Math.round((next() - 0.5) * 7_200_000);
    until = time + 200 + 800 * next();
  }
  return time + offset;
};
globalThis.Date = class extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(now());
    else super(...args);
  }
  static now() {
    return now();
  }
};
