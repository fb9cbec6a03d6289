#!/usr/bin/env bash
# Everything that a landing must pass: build, types, format and lint, arrows, tests.
# Ends with 'N passed, N failed, N skipped', and before it the names of what was skipped.
set -uo pipefail
cd "$(dirname "$0")/.."
npm run --silent build && npm run --silent check || { echo '0 passed, 1 failed'; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Some thousand processes are started, and each would compile the same modules: 0.13 s for 0.20 s.
export NODE_COMPILE_CACHE="$folder/compiled"
vitest run --reporter=default --reporter=json --outputFile.json="$folder/report.json" "$@"
node test/summary.cjs "$folder/report.json"
