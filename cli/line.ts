/** All that a trainer says and asks over one connection to NATS. */
import { setTimeout } from 'node:timers/promises';
import { NatsCheckpoints } from '../bus/nats/checkpoints';
import { connectNats, type NatsOptions } from '../bus/nats/connect';
import { NatsLedger } from '../bus/nats/ledger';
import { NatsNews } from '../bus/nats/news';
import { ensureStreams } from '../bus/nats/streams';
import { NatsSweeps } from '../bus/nats/sweeps';
import { PublishQueue } from '../bus/queue';
import type { SweepDefinition } from '../sweep/spec';

/** The news of a pack that says nothing for three times as long is no longer believed. */
const MILLISECONDS_BETWEEN_NEWS = 5000;

export type Line = Awaited<ReturnType<typeof openLine>>;

/**
 * @param pack what those who watch call this trainer
 * @param acknowledged told of each record that the ledger has made durable
 */
export async function openLine(
  options: NatsOptions,
  definition: SweepDefinition,
  pack: string,
  say: (line: string) => void,
  acknowledged: (trial: string) => void = () => {},
) {
  const link = await connectNats(options, `prunesweep ${pack} of ${definition.sweep.metadata.name}`, say);
  const ledger = await NatsLedger.open(link);
  const news = new NatsNews(link);
  const since = Date.now();
  let atWork: string[] = [];
  const sayPack = () => news.pack({ definition, pack, since, lineages: atWork });
  const timer = setInterval(sayPack, MILLISECONDS_BETWEEN_NEWS);
  return {
    ...{ ledger, news },
    queue: new PublishQueue({
      publish: async (record) => {
        await ledger.publish(record);
        acknowledged(record.id);
      },
    }),
    checkpoints: await NatsCheckpoints.open(link),
    sweeps: new NatsSweeps(link),
    makeStreams: () => ensureStreams(link),
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
