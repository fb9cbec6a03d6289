/** The nats-server that the run obtained, for tests. */
import { inject } from 'vitest';
import { NatsServer as Server } from './natsserver';

const nats = inject('nats');
export const hasNats = 'program' in nats;
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoNats = 'missing' in nats ? ` (${nats.missing})` : '';

export function natsProgram(): string {
  if (!('program' in nats)) throw new Error(nats.missing);
  return nats.program;
}

export type NatsServer = Server;
export const NatsServer = {
  start(config = '', env: NodeJS.ProcessEnv = {}): Promise<Server> {
    return Server.start(natsProgram(), { config, env });
  },
};
