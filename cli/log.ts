/** What a long-running command writes: a line of JSON an event, for whatever collects logs; on a terminal a line to read. */
import pino, { type Logger } from 'pino';

export const log = (name: string): Logger =>
  pino(
    {
      ...{ name, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      formatters: { level: (level) => ({ level }) },
    },
    process.stderr.isTTY
      ? { write: (line) => process.stderr.write(readable(line)) }
      : pino.destination({ fd: 2, sync: true }),
  );

const COLOURS: Record<string, string> = { warn: '\u001b[33m', error: '\u001b[31m', fatal: '\u001b[31m' };
const DIM = '\u001b[2m';
const PLAIN = '\u001b[0m';

/**
 * @param line of JSON
 * @returns `12:34:56 what happened`, by UTC as in the JSON, and what else is known of it
 */
export function readable(line: string): string {
  const { level, time, msg, name: _, err, ...rest } = JSON.parse(line) as Record<string, unknown> & { time: string };
  const more = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const said = [...(msg === undefined ? [] : [msg]), ...(more.length === 0 ? [] : [`${DIM}${more.join(' ')}${PLAIN}`])];
  const stack = (err as { stack?: string } | undefined)?.stack;
  const colour = COLOURS[level as string];
  const begin = `${DIM}${time.slice(11, 19)}${PLAIN} ${colour === undefined ? '' : `${colour}${level}:${PLAIN} `}`;
  return `${begin}${said.join(' ')}\n${stack === undefined ? '' : `${stack}\n`}`;
}

/** A pod's log for a person: events as on a terminal, and whatever else is in it as it is. */
export const readableLog = (text: string): string =>
  text.replace(/^\{.*\}$/gm, (line) => {
    try {
      return readable(line).trimEnd();
    } catch {
      return line;
    }
  });
