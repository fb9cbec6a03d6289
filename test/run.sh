#!/usr/bin/env bash
# Everything that a landing must pass: build, types, format and lint, arrows, tests.
# Ends with 'N passed, N failed, N skipped', and before it the names of what was skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
npm run --silent build && npm run --silent check || { echo '0 passed, 1 failed'; exit 1; }
report=$(mktemp)
trap 'rm -f "$report"' EXIT
vitest run --reporter=default --reporter=json --outputFile.json="$report" "$@"
node test/summary.cjs "$report"
