/** What a long-running command writes: a line of JSON an event, for whatever collects logs. */
import pino, { type Logger } from 'pino';

export const log = (name: string): Logger =>
  pino(
    {
      ...{ name, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      formatters: { level: (level) => ({ level }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
