/** What the API answers, as JSON schemas: they make the answers, and the OpenAPI document. */

const text = { type: 'string' };
const count = { type: 'integer' };
const number = { type: 'number' };
const orNull = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });
const described = <T extends object>(schema: T, description: string) => ({ ...schema, description });
const object = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
const list = (items: object) => ({ type: 'array', items });

export const CELL = object(
  {
    network: text,
    recipe: text,
    pruneRatio: described(number, 'absent for an absolute target'),
    remainingWeights: count,
    mean: described(number, 'test accuracy, a fraction'),
    sd: described(number, 'sample standard deviation'),
    low: described(number, 'of the 95 % interval of the mean'),
    high: number,
    n: described(count, 'trials with a record'),
    N: described(count, 'trials of the grid'),
  },
  ['pruneRatio', 'mean', 'sd', 'low', 'high'],
);

const SIDE = object({ n: count, mean: number }, ['mean']);

export const COMPARISON = object(
  {
    ...{ network: text, recipe: text, remainingWeights: count },
    first: described(SIDE, 'replicates and mean test accuracy; absent where the sweep has no such cell'),
    second: SIDE,
    pairs: described(count, 'seeds that both have measured'),
    same: described(count, 'of them, those that are the same trial'),
    difference: described(number, 'mean over the pairs of the second less the first, a fraction'),
    low: described(number, 'of the 95 % interval of the difference'),
    high: number,
  },
  ['first', 'second', 'difference', 'low', 'high'],
);

const PROGRESS = object(
  {
    lineage: text,
    network: text,
    seed: count,
    step: described(text, '`dense`, or the recipe and the count that the trial leaves'),
    trial: text,
    epoch: count,
    epochs: count,
    loss: number,
    accuracy: described(number, 'of the training images'),
  },
  ['trial'],
);

export const STATUS = object({
  name: text,
  definition: described(text, 'another for another grid'),
  since: described({ type: 'string', format: 'date-time' }, 'when it was first heard of'),
  state: described(
    { type: 'string', enum: ['complete', 'running', 'waiting', 'failed', 'unknown'] },
    'complete: every trial of the grid has its record in the table, and the ledger agrees; running: somebody works on it; failed: nobody does, and what is missing has failed; waiting: nobody does; unknown: the ledger is away or not read to its end',
  ),
  complete: { type: 'boolean' },
  trials: object({ total: count, recorded: count, failed: count, running: count, missing: count }),
  timeLeftSeconds: described(
    orNull(number),
    'at the pace of the last records; null when nobody works or there is no pace',
  ),
  networks: list(text),
  best: { anyOf: [CELL, { type: 'null' }], description: 'the best cell at the smallest count that has a record' },
  atWork: list(object({ pack: text, lineage: text, progress: PROGRESS }, ['progress'])),
  conflicts: described(list(text), 'trials that were measured twice with different results: a faulty machine'),
  ledger: object({ ready: { type: 'boolean' }, reason: text, folded: count, last: count }, ['last']),
});

export const TRIAL = object({
  id: text,
  point: described(count, 'place in the grid'),
  network: text,
  recipe: text,
  seed: count,
  pruneRatio: orNull(number),
  remainingWeights: count,
  state: { type: 'string', enum: ['recorded', 'failed', 'missing'] },
  accuracy: orNull(number),
  failure: described(orNull(text), 'why it has no record'),
});

export const TRIALS = object({
  trials: list(TRIAL),
  next: described(orNull(count), 'give this as `after` for the next page; null on the last'),
});

export const QUARANTINE = object({
  messages: list(
    object({
      sequence: count,
      subject: text,
      reason: described(text, 'why it is no record'),
      bytes: count,
      head: described(text, 'its first characters'),
    }),
  ),
  next: orNull(count),
});

export const ONE_TRIAL = {
  type: 'object',
  properties: {
    record: { type: 'object', additionalProperties: true, description: 'as the trainer published it' },
    failure: text,
    conflict: { type: 'object', additionalProperties: true, description: 'another result of the trial, not taken' },
  },
};

export const ERROR = object({ error: text });

/** What a number of JSON, and one of the store, can say. */
const [LEAST, MOST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];

export const PAGE = {
  type: 'object',
  properties: {
    after: { type: 'integer', minimum: -1, maximum: MOST, default: -1, description: '`next` of the page before' },
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  },
  additionalProperties: false,
};

export const FILTER = {
  type: 'object',
  properties: {
    ...PAGE.properties,
    network: { type: 'string', description: '`300-100`' },
    recipe: { type: 'string', description: '`magnitude/global/masked/iterative`' },
    seed: { type: 'integer', minimum: LEAST, maximum: MOST },
    remainingWeights: { type: 'integer', minimum: 0, maximum: MOST },
    state: { type: 'string', enum: ['recorded', 'failed', 'missing'] },
  },
  additionalProperties: false,
};

export const SEEDS = {
  type: 'object',
  properties: {
    seeds: {
      ...{ type: 'string', pattern: '^-?\\d{1,16}(,-?\\d{1,16})*$' },
      description: '`1,2`: the cells are of the trials of these seeds alone; of all when it is absent',
    },
  },
  additionalProperties: false,
};

const sweepName = described(text, 'of the sweep');
export const NAME = object({ name: sweepName });
export const NAMES = object({ name: sweepName, other: sweepName });
