// Loaded into the command line under test: writes its largest resident set (kB) to file descriptor 3 as it ends.
// Linux says it in /proc; what getrusage says there counts the process that started this one, too.
const fs = require('node:fs');
function peak() {
  const status = fs.existsSync('/proc/self/status') ? fs.readFileSync('/proc/self/status', 'utf8') : '';
  return /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
}
process.on('exit', () => fs.writeSync(3, String(peak())));
