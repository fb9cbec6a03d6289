// The last lines of a test run, from vitest's JSON report: what was skipped, and the counts.
const { readFileSync } = require('node:fs');

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tests = report.testResults.flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status === 'skipped' || status === 'pending');
const failedFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
);
const passed = tests.filter(({ status }) => status === 'passed').length;
const failed = tests.filter(({ status }) => status === 'failed').length + failedFiles.length;
for (const { name, message } of failedFiles) console.log(`did not run: ${name}: ${message}`);
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
const inCi = process.env.CI === 'true';
if (skipped.length > 0 && inCi) console.log('with CI=true everything must run: what was skipped counts as failed');
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exitCode = failed > 0 || passed === 0 || (inCi && skipped.length > 0) ? 1 : 0;
