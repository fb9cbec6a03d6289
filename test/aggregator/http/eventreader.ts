/** A tab, as the server sees it: a connection of its own that follows the table of a sweep, or does not read. */
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';

export interface ToldCell {
  at: number;
  n: number;
  [field: string]: unknown;
}

export class EventReader {
  /** All cells as they were told. */
  cells: ToldCell[] = [];
  /** Kinds of the events, in their order. */
  readonly kinds: string[] = [];
  lastId: string | undefined;
  status: { trials: { recorded: number } } | undefined;
  /** Known to who reads. */
  isCut = false;
  private isReading = false;
  private rest = '';

  private constructor(
    private readonly request: ClientRequest,
    private readonly answer: IncomingMessage,
  ) {
    answer.on('error', () => {
      this.isCut = true;
    });
    answer.on('close', () => {
      this.isCut = true;
    });
  }

  /** Follows test's cells; it reads when it is told to. @throws what the server answers when it refuses */
  static async connect(url: string, lastId?: string, query = ''): Promise<EventReader> {
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId };
    const [request, answer] = await new Promise<[ClientRequest, IncomingMessage]>((done, fail) => {
      const request = get(`${url}/api/sweeps/test/cells${query}`, { agent: false, headers }, (answer) =>
        done([request, answer]),
      );
      request.once('error', fail);
    });
    onTestFinished(() => void request.destroy());
    if (answer.statusCode === 200) return new EventReader(request, answer);
    let text = '';
    for await (const piece of answer) text += piece;
    throw new Error(`${answer.statusCode} ${answer.headers['retry-after']} ${text}`);
  }

  read(): this {
    if (this.isReading) return this;
    this.isReading = true;
    this.answer.setEncoding('utf8').on('data', (text: string) => this.take(text));
    return this;
  }

  end(): void {
    this.request.destroy();
  }

  private take(text: string): void {
    const parts = (this.rest + text).split('\n\n');
    this.rest = parts.pop()!;
    for (const part of parts) {
      const { id, event, data } = Object.fromEntries(part.split('\n').map((line) => line.split(/: (.*)/s)));
      const told = JSON.parse(data);
      this.lastId = id ?? this.lastId;
      this.kinds.push(event);
      if (event === 'table') this.cells = told.cells;
      if (event === 'cells') for (const cell of told) this.cells[cell.at] = cell;
      if (event === 'status') this.status = told;
    }
  }
}
