// `npm run faults -- --schedules N --seed S`: N schedules, of the seeds S, S + 1, ...; with --operator around the controller,
// with --pods around the pods of a real node; with
// --http N odd requests to a server instead.
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    operator: { type: 'boolean', default: false },
    pods: { type: 'boolean', default: false },
    http: { type: 'boolean', default: false },
  },
});
for (const name of ['schedules', 'seed'])
  if (!/^\d+$/.test(values[name])) {
    console.error(`--${name}: ${values[name]} is no number`);
    process.exit(64);
  }
// Around the controller, all points at which it may crash are walked as well.
const kind = ['operator', 'pods', 'http'].find((name) => values[name]);
const file = kind === undefined ? 'test/faults/faults.test.ts' : `test/faults/${kind}`;
const { status } = spawnSync('vitest', ['run', file, '--testTimeout', '900000'], {
  stdio: 'inherit',
  env: { ...process.env, FAULT_SCHEDULES: values.schedules, FAULT_SEED: values.seed, CRASH_POINTS: 'all' },
});
process.exit(status ?? 1);
