/** Clients of the API server whose calls are counted, and whose answers say what time it is there. */
import {
  createConfiguration,
  type KubeConfig,
  type RequestContext,
  ServerConfiguration,
} from '@kubernetes/client-node';

/** A server that hangs must not hold up whoever asks for ever; etcd may pause for 10 s. */
const ANSWER_WITHIN = 20_000;

type Api<T> = new (configuration: ReturnType<typeof createConfiguration>) => T;

/** The API server's time, by which Jobs end: this machine's clock may be wrong, or jump. Exact to a second. */
export class ServerClock {
  private offset = Date.now() - performance.now();

  /** @param date of an answer's head */
  hear(date: string | undefined): void {
    if (date !== undefined) this.offset = Date.parse(date) - performance.now();
  }

  get now(): Date {
    return new Date(this.offset + performance.now());
  }
}

export function apiClient<T>(config: KubeConfig, api: Api<T>, called: (verb: string) => void, clock?: ServerClock): T {
  let connections: ReturnType<RequestContext['getDispatcher']>;
  return new api(
    createConfiguration({
      baseServer: new ServerConfiguration(config.getCurrentCluster()!.server, {}),
      authMethods: { default: config },
      promiseMiddleware: [
        {
          pre: async (request) => {
            called(request.getHttpMethod());
            // The library makes new connections for each call (2.0.1): half of what a sweep cost us and the server was TLS.
            connections ??= request.getDispatcher();
            if (connections !== undefined) request.setDispatcher(connections);
            request.setSignal(AbortSignal.timeout(ANSWER_WITHIN));
            return request;
          },
          post: async (response) => {
            clock?.hear(response.headers.date);
            return response;
          },
        },
      ],
    }),
  );
}

/** Turns the answer of one HTTP status into undefined. */
export const ifCode =
  (code: number) =>
  (error: unknown): undefined => {
    if (codeOf(error) !== code) throw error;
  };

export const CONFLICT = 409;
export const NOT_FOUND = 404;

export const codeOf = (error: unknown): number | undefined => (error as { code?: number }).code;

/** What the API server said, or what it passed on of the aggregator, or why nothing was said. */
export function sayingOf(error: unknown): string {
  const { code, body, message, cause } = error as { code?: unknown; body?: unknown; message: string; cause?: Error };
  if (typeof body !== 'string') return cause?.message ?? message;
  try {
    const { message: said, error: passedOn } = JSON.parse(body) as Record<'message' | 'error', string | undefined>;
    if (said !== undefined || passedOn !== undefined) return (said ?? passedOn)!;
  } catch {
    // It was an object of neither.
  }
  return `HTTP ${code}: ${body.trim().slice(0, 300)}`;
}
