/** All that a trainer says and asks over one connection to NATS. */
import { setTimeout } from 'node:timers/promises';
import type { PublishedSweep } from '../bus/bus';
import { NatsCheckpoints } from '../bus/nats/checkpoints';
import { connectNats, type NatsLink, type NatsOptions } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { NatsNews } from '../bus/nats/news';
import { ensureStreams } from '../bus/nats/streams';
import { NatsSweeps } from '../bus/nats/sweeps';
import { PublishQueue } from '../bus/queue';
import type { TrialRecord } from '../sweep/record';
import type { SweepDefinition } from '../sweep/spec';

/** The news of a pack that says nothing for three times as long is no longer believed. */
const MILLISECONDS_BETWEEN_NEWS = 5000;

export type Line = Awaited<ReturnType<typeof openLine>>;

export interface LineOptions {
  nats: NatsOptions;
  definition: SweepDefinition;
  /** What those who watch call this trainer. */
  pack: string;
  /** Who says what the sweep is: a trainer brings it along, an owner makes the streams as well. */
  by: PublishedSweep['by'];
  say(line: string): void;
  /** Told of each record that the ledger has made durable. */
  acknowledged?(record: TrialRecord): void;
}

export async function openLine({ nats, definition, pack, by, say, acknowledged }: LineOptions) {
  const { name } = definition.sweep.metadata;
  const link = await connectNats(nats, `prunesweep ${pack} of ${name}`, say);
  try {
    if (by === 'owner') await ensureStreams(link);
    await new NatsSweeps(link).publish({ definition, by });
    return await linedUp(link, name, pack, acknowledged);
  } catch (error) {
    await link.connection.close();
    throw error;
  }
}

async function linedUp(
  link: NatsLink,
  sweep: string,
  pack: string,
  acknowledged: LineOptions['acknowledged'] = () => {},
) {
  const checkpoints = await NatsCheckpoints.open(link);
  const ledger = await NatsLedger.open(link);
  const news = new NatsNews(link);
  let atWork: string[] = [];
  const sayPack = () => news.pack({ sweep, pack, lineages: atWork });
  const timer = setInterval(sayPack, MILLISECONDS_BETWEEN_NEWS);
  return {
    ...{ ledger, news, checkpoints },
    queue: new PublishQueue({
      publish: async (record) => {
        await ledger.publish(record);
        acknowledged(record);
      },
    }),
    announce(lineages: string[]) {
      atWork = lineages;
      sayPack();
    },
    close: async () => {
      clearInterval(timer);
      // The last news go out if NATS is there; nothing else is under way.
      await Promise.race([link.connection.flush(), setTimeout(1000, undefined, { ref: false })]).catch(() => {});
      await link.connection.close();
    },
  };
}
