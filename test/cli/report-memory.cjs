// Loaded into the command line under test: writes its largest resident set (kB) to file descriptor 3 as it ends.
process.on('exit', () => require('node:fs').writeSync(3, String(process.resourceUsage().maxRSS)));
