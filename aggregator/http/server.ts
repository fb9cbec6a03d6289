/** The API: what the aggregator knows, over HTTP. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished, Readable } from 'node:stream';
import etag from '@fastify/etag';
import swagger from '@fastify/swagger';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { sweepYaml } from '../../sweep/accept';
import { compare } from '../../sweep/compare';
import type { GridPoint } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import type { Aggregator } from '../aggregator';
import type { Board } from '../board';
import { columnsOf, type RecordedPoint } from '../columns';
import { tableCsv, trialsCsvHeader, trialsCsvRows } from '../csv';
import { GROUP_ROWS, mostLayers, TrialsParquet } from '../parquet';
import { StoreDamaged, type TrialFilter, type TrialRow } from '../store';
import { tableJson, tableLatex, tableMarkdown } from '../table';
import { cellEventsOf } from './cells';
import { events } from './events';
import { type OwnNames, refuseOtherHosts } from './hosts';
import { atMost, cutWhenSlow, LIMITS, type Limits, limitRequests, serverLimits } from './limits';
import { metricsOf } from './metrics';
import { pageRoutes } from './page';
import { COMPARISON, ERROR, FILTER, NAME, NAMES, ONE_TRIAL, PAGE, QUARANTINE, SEEDS, STATUS, TRIALS } from './shapes';
import { statusOf } from './status';

const TABLES: Record<string, { type: string; render(board: Board): string }> = {
  json: { type: 'application/json; charset=utf-8', render: ({ cells }) => tableJson(cells) },
  csv: { type: 'text/csv; charset=utf-8', render: ({ cells }) => tableCsv(cells) },
  md: { type: 'text/markdown; charset=utf-8', render: ({ cells, axes }) => tableMarkdown(cells, axes) },
  tex: { type: 'text/plain; charset=utf-8', render: ({ cells, axes }) => tableLatex(cells, axes) },
};

class NotFound extends Error {
  readonly statusCode = 404;
}

type Named = { Params: { name: string } };

export interface ApiOptions {
  names?: Partial<OwnNames>;
  /** The command that shows why trials of a sweep failed. */
  logCommand?: (sweep: string) => string;
  limits?: Limits;
}

export async function apiOf(
  aggregator: Aggregator,
  version: string,
  logger: FastifyBaseLogger,
  { names = {}, logCommand = (name) => `kubectl prunesweep logs ${name}`, limits = LIMITS }: ApiOptions = {},
): Promise<FastifyInstance> {
  const server = fastify({
    loggerInstance: logger,
    // A dashboard asks many times a minute; what went wrong is logged all the same.
    logController: new LogController({ disableRequestLogging: true }),
    ...serverLimits(limits),
    // Strict about numbers, ajv would let Infinity, which 1e309 is, past every bound.
    ajv: { customOptions: { coerceTypes: true, removeAdditional: false, strictNumbers: false } },
  });
  refuseOtherHosts(server, { hosts: [], isBehindApiServer: false, ...names });
  await limitRequests(server, limits);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'prunesweep', version, description: 'Sweeps, their tables and trials, as the ledger has them.' },
    },
  });
  await server.register(etag);
  server.setErrorHandler((error: Error & { statusCode?: number; validation?: unknown }, _, reply) => {
    if (error instanceof StoreDamaged) {
      aggregator.rebuild(error);
      return reply.code(503).send({ error: `the store is damaged and is made again: ${error.message}` });
    }
    const code = error.statusCode ?? 500;
    if (code >= 500) logger.error(error);
    return reply.code(code).send({ error: error.message });
  });
  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `${request.url}: there is no such page; /openapi.json says what there is` }),
  );

  const boardOf = (name: string): Board => {
    const board = aggregator.boards.get(name);
    if (board !== undefined) return board;
    const known = [...aggregator.boards.keys()].sort();
    throw new NotFound(
      `${name}: there is no such sweep; ${known.length === 0 ? 'there is none yet' : `there are ${known.slice(0, 20).join(', ')}`}`,
    );
  };
  // No ETag is made of what is not there as a whole, and no proxy should hold it back.
  const sendStream: SendStream = (reply, type, pieces) => {
    // Who asks for the head alone never reads.
    const isRead = reply.request.method !== 'HEAD';
    const stream = Readable.from(isRead ? cutWhenSlow(pieces, limits.patience, () => reply.raw.destroy()) : []);
    return reply.type(type).header('cache-control', 'no-cache').header('x-accel-buffering', 'no').send(stream);
  };
  const api: Api = { server, aggregator, boardOf, sendStream };
  sweepRoutes(api);
  eventRoutes(api, atMost(limits.streams, 'streams of events'), logCommand);
  trialRoutes(api);
  fileRoutes(api, atMost(limits.downloads, 'downloads of whole sweeps'));
  plainRoutes(api);
  return server;
}

/** Sends piece after piece, each when the one before is taken, and no more when the reader goes or is too slow. */
type SendStream = (reply: FastifyReply, type: string, pieces: AsyncIterable<Buffer | string>) => FastifyReply;

interface Api {
  server: FastifyInstance;
  aggregator: Aggregator;
  /** @throws NotFound */
  boardOf: (name: string) => Board;
  sendStream: SendStream;
}

/** Refuses what would be one too many. */
type Gate = ReturnType<typeof atMost>;

function sweepRoutes({ server, aggregator, boardOf }: Api): void {
  server.get(
    '/api/sweeps',
    { schema: { summary: 'All sweeps, each with its status', response: { 200: { type: 'array', items: STATUS } } } },
    () =>
      [...aggregator.boards.values()]
        .map((board) => statusOf(aggregator, board))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  server.get<Named>(
    '/api/sweeps/:name',
    { schema: { summary: 'How far a sweep is', params: NAME, response: { 200: STATUS, 404: ERROR } } },
    ({ params }) => statusOf(aggregator, boardOf(params.name)),
  );
  server.get<Named>(
    '/api/sweeps/:name/sweep.yaml',
    { schema: { summary: 'The sweep as accepted', params: NAME } },
    ({ params }, reply) =>
      reply.type('application/yaml; charset=utf-8').send(sweepYaml(boardOf(params.name).published.definition.sweep)),
  );
  server.get<{ Params: { name: string; other: string } }>(
    '/api/sweeps/:name/compare/:other',
    {
      schema: {
        summary: 'Two sweeps cell by cell',
        description:
          'What the other has over the first, as mean difference of test accuracy over the seeds that both have measured, with its 95 % interval.',
        params: NAMES,
        response: { 200: { type: 'array', items: COMPARISON }, 404: ERROR },
      },
    },
    ({ params }) => compare(boardOf(params.name).measured(), boardOf(params.other).measured()),
  );
  for (const [format, { type, render }] of Object.entries(TABLES)) {
    const cache = new WeakMap<Board, { version: number; bytes: Buffer; etag: string }>();
    server.get<Named>(
      `/api/sweeps/:name/table.${format}`,
      { schema: { summary: `The comparison table (${format})`, params: NAME } },
      ({ params }, reply) => {
        const board = boardOf(params.name);
        let made = cache.get(board);
        if (made?.version !== board.version) {
          // Bytes, which all readers share: a text is encoded for each.
          const bytes = Buffer.from(render(board));
          made = { version: board.version, bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` };
          cache.set(board, made);
        }
        return reply.type(type).header('etag', made.etag).header('cache-control', 'no-cache').send(made.bytes);
      },
    );
  }
}

function eventRoutes(api: Api, gate: Gate, logCommand: (sweep: string) => string): void {
  const { server, aggregator } = api;
  const cellEvents = cellEventsOf(aggregator, (name, { axes, published }) => ({
    ...{ ...axes, weights: Object.fromEntries(axes.weights), logCommand: logCommand(name) },
    seeds: published.definition.sweep.spec.seeds,
  }));
  server.get<Named>(
    '/api/sweeps/:name/events',
    {
      onRequest: gate,
      schema: {
        summary: 'Live events (server-sent events)',
        description:
          'record, failure and conflict once each in the order of the ledger, from the one after Last-Event-ID or from the first; status and progress as they change; reset when what was told before is void.',
        params: NAME,
      },
    },
    (request, reply) =>
      sendEvents(api, request, reply, (lastId, signal) => events(aggregator, request.params.name, lastId, signal)),
  );
  server.get<Named & { Querystring: { seeds?: string } }>(
    '/api/sweeps/:name/cells',
    {
      onRequest: gate,
      schema: {
        summary: 'The comparison table as it fills (server-sent events)',
        description:
          'table: all cells, in place of what was told before; cells: those that changed since; status as it changes. Who comes back with Last-Event-ID is told what changed.',
        ...{ params: NAME, querystring: SEEDS },
      },
    },
    (request, reply) => {
      const seeds = request.query.seeds?.split(',').map(Number);
      return sendEvents(api, request, reply, (lastId, signal) =>
        cellEvents(request.params.name, seeds, lastId, signal),
      );
    },
  );
}

/** Sends events of a sweep until one of the two sides ends. @throws NotFound */
function sendEvents(
  { boardOf, sendStream }: Api,
  request: FastifyRequest<Named>,
  reply: FastifyReply,
  eventsOf: (lastId: string | undefined, signal: AbortSignal) => AsyncIterable<Buffer | string>,
) {
  boardOf(request.params.name);
  const ended = new AbortController();
  request.raw.once('close', () => ended.abort());
  reply.raw.once('close', () => ended.abort());
  const lastId = request.headers['last-event-id'];
  return sendStream(reply, 'text/event-stream', eventsOf(Array.isArray(lastId) ? lastId[0] : lastId, ended.signal));
}

function trialRoutes({ server, aggregator, boardOf }: Api): void {
  server.get<Named & { Querystring: TrialFilter & { after: number; limit: number } }>(
    '/api/sweeps/:name/trials',
    {
      schema: {
        summary: 'The trials of a sweep in the order of its grid, page by page',
        ...{ params: NAME, querystring: FILTER, response: { 200: TRIALS, 400: ERROR, 404: ERROR } },
      },
    },
    async ({ params, query }) => {
      boardOf(params.name);
      const { after, limit, ...filter } = query;
      const rows = await aggregator.store.trials(params.name, filter, after, limit + 1);
      const page = rows.slice(0, limit);
      return { trials: page.map(trialOf), next: rows.length > limit ? page.at(-1)!.point : null };
    },
  );
  server.get<{ Params: { id: string } }>(
    '/api/trials/:id',
    {
      schema: {
        summary: 'A trial, whatever sweeps it is in: its record, or why it has none',
        params: { type: 'object', properties: { id: { type: 'string' } } },
        response: { 200: ONE_TRIAL, 404: ERROR },
      },
    },
    async ({ params: { id } }) => {
      const { isRecorded, failure, conflict } = await aggregator.store.trial(id);
      if (!isRecorded && failure === undefined)
        throw new NotFound(`${id}: nothing is recorded of a trial of this id; it has 64 hexadecimal digits`);
      return {
        ...(isRecorded ? { record: (await aggregator.recordsOf([id])).get(id) } : { failure }),
        ...(conflict === undefined ? {} : { conflict: JSON.parse(conflict) }),
      };
    },
  );
}

/** What is made of all trials, for who takes it away. */
function fileRoutes({ server, aggregator, boardOf, sendStream }: Api, gate: Gate): void {
  server.get<Named>(
    '/api/sweeps/:name/trials.csv',
    { onRequest: gate, schema: { summary: 'All recorded trials, as `prunesweep run` writes them', params: NAME } },
    ({ params: { name } }, reply) => {
      const columns = columnsOf(boardOf(name).published.definition.sweep.spec.recipes);
      async function* lines() {
        yield trialsCsvHeader(columns);
        for await (const rows of recordedPoints(aggregator, name)) yield trialsCsvRows(columns, rows);
      }
      return sendStream(reply, 'text/csv; charset=utf-8', lines());
    },
  );
  server.get<Named>(
    '/api/sweeps/:name/trials.parquet',
    { onRequest: gate, schema: { summary: 'The same with types and histograms', params: NAME } },
    async ({ params: { name } }, reply) => {
      const { recipes, hiddenWidths } = boardOf(name).published.definition.sweep.spec;
      const file = new TrialsParquet(recipes, mostLayers(hiddenWidths));
      for await (const rows of recordedPoints(aggregator, name)) file.add(rows);
      return reply.type('application/vnd.apache.parquet').send(Buffer.from(file.finish()));
    },
  );
  server.get(
    '/api/store.duckdb',
    {
      onRequest: gate,
      schema: { summary: 'A copy of the store, for any DuckDB: the tables trials and cells are where to begin' },
    },
    async ({ method }, reply) => {
      const type = 'application/octet-stream';
      if (method === 'HEAD') return sendStream(reply, type, Readable.from([]));
      const stream = (await nameless((path) => aggregator.store.copyTo(path))).createReadStream();
      // Who went away during the copying never reads.
      finished(reply.raw, () => stream.destroy());
      return sendStream(reply, type, stream);
    },
  );
}

/** A file as `write` left it at its path, open and without a name: its space is free when it is closed, however that is. */
async function nameless(write: (path: string) => Promise<void>): Promise<FileHandle> {
  const folder = mkdtempSync(join(tmpdir(), 'prunesweep-store-'));
  try {
    const path = join(folder, 'sweeps.duckdb');
    await write(path);
    return await open(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plainRoutes({ server, aggregator }: Api): void {
  server.get<{ Querystring: { after: number; limit: number } }>(
    '/api/quarantine',
    {
      schema: {
        summary: 'What is in the ledger and is no record',
        ...{ querystring: PAGE, response: { 200: QUARANTINE } },
      },
    },
    async ({ query: { after, limit } }) => {
      const found = await aggregator.store.quarantine(after, limit + 1);
      const messages = found.slice(0, limit);
      return { messages, next: found.length > limit ? messages.at(-1)!.sequence : null };
    },
  );
  const metrics = metricsOf(aggregator);
  server.get('/metrics', { schema: { summary: 'For Prometheus' } }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
  server.get('/healthz', { schema: { summary: '200 while the process works' } }, () => ({ status: 'ok' }));
  server.get('/readyz', { schema: { summary: '200 when the table is what the ledger says' } }, (_, reply) => {
    const { isReady, ...rest } = aggregator.readiness;
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'not ready', ...rest });
  });
  server.get('/openapi.json', { schema: { summary: 'This description' } }, () => server.swagger());
  pageRoutes(server);
}

const trialOf = ({ sequence, ...row }: TrialRow) => ({
  ...row,
  state: sequence !== null ? 'recorded' : row.failure !== null ? 'failed' : 'missing',
});

/** A sweep's recorded trials in the order of the grid, a group at a time: the rows of the store, the records of the ledger. */
async function* recordedPoints(aggregator: Aggregator, sweep: string): AsyncGenerator<RecordedPoint[]> {
  for (let after = -1; ; ) {
    const rows = await aggregator.store.trials(sweep, { state: 'recorded' }, after, GROUP_ROWS);
    if (rows.length === 0) return;
    const records = await aggregator.recordsOf(rows.map(({ id }) => id));
    yield rows.map((row) => ({ point: pointOf(row, records.get(row.id)!), record: records.get(row.id)! }));
    after = rows.at(-1)!.point;
  }
}

/** A row of the store as the point of the grid that it is; its recipe's own l1 and l2 are those of its training. */
function pointOf({ id, network, recipe, seed, pruneRatio }: TrialRow, { trial: content }: TrialRecord): GridPoint {
  const trial = { id, content, ...(pruneRatio === null ? {} : { pruneRatio }) };
  return { trial, network, recipe: content.recipe, recipeName: recipe, seed };
}
