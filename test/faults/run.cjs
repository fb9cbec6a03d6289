// `npm run faults -- --schedules N --seed S`: N schedules, of the seeds S, S + 1, ...
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: { schedules: { type: 'string', default: '300' }, seed: { type: 'string', default: '1' } },
});
for (const [name, value] of Object.entries(values))
  if (!/^\d+$/.test(value)) {
    console.error(`--${name}: ${value} is no number`);
    process.exit(64);
  }
const { status } = spawnSync('vitest', ['run', 'test/faults/faults.test.ts', '--testTimeout', '300000'], {
  stdio: 'inherit',
  env: { ...process.env, FAULT_SCHEDULES: values.schedules, FAULT_SEED: values.seed },
});
process.exit(status ?? 1);
