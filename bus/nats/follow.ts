/** The messages of a stream, one after another. */
import type { JsMsg, OrderedConsumerOptions } from 'nats';
import type { NatsLink } from './connect';

/** A pull ends after so many ms and is made again; the client waits as long before it tries again to make its consumer. */
const EXPIRES = 5000;
/** Messages that a reader is sent ahead of its reading. */
const AHEAD = 4000;

const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });

/** @param options where to begin */
export async function* messagesOf(
  { connection }: NatsLink,
  stream: string,
  options: Partial<OrderedConsumerOptions>,
  signal: AbortSignal,
): AsyncGenerator<JsMsg> {
  const consumer = await connection.jetstream().consumers.get(stream, options);
  const consuming = consumer.consume({ max_messages: AHEAD, expires: EXPIRES });
  // When the connection is lost just now the client goes on trying for minutes; whoever follows must not wait for that.
  const messages = await Promise.race([consuming, aborted(signal)]);
  if (messages === undefined) {
    void consuming.then((late) => late.close()).catch(() => {});
    return;
  }
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    yield* messages;
  } finally {
    signal.removeEventListener('abort', stop);
    await messages.close();
  }
}
