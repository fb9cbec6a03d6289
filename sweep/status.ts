/** What a cluster says of a sweep: the status of a PruneSweep object, which the controller writes and nobody else. */
import type { Schema } from './schema';

const count = (title: string, description: string): Schema => ({
  ...{ type: 'integer', title, description, minimum: 0, maximum: 2 ** 53 - 1 },
});
const text = (title: string, description: string, maxLength: number): Schema => ({
  ...{ type: 'string', title, description, maxLength },
});

const condition: Schema = {
  type: 'object',
  title: 'condition',
  description: 'One of Accepted, Suspended, Complete, Failed and MetricsComplete.',
  required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  properties: {
    type: text('type', 'Accepted, Suspended, Complete, Failed or MetricsComplete.', 316),
    status: {
      ...{ type: 'string', title: 'status', description: 'Whether it holds.', enum: ['True', 'False', 'Unknown'] },
    },
    reason: text('reason', 'One word for programs.', 1024),
    message: text('message', 'A sentence for people, with what to do where something can be done.', 32768),
    observedGeneration: count('generation', 'metadata.generation that it was found for.'),
    lastTransitionTime: {
      ...{ type: 'string', title: 'time', description: 'When status last changed.', format: 'date-time' },
    },
  },
};

export const STATUS_SCHEMA: Schema = {
  type: 'object',
  title: 'status',
  description: 'How far the sweep has come. Written by the controller.',
  properties: {
    observedGeneration: count('generation', 'metadata.generation that all of this was found for.'),
    state: {
      ...{ type: 'string', title: 'state', description: 'The conditions in one word.' },
      enum: ['Rejected', 'Waiting', 'Running', 'Suspended', 'Complete', 'Failed'],
    },
    trials: {
      type: 'object',
      title: 'trials',
      description: 'Counts of trials.',
      properties: {
        total: count('number of trials', 'Points of the grid.'),
        recorded: count('number of trials', 'Those that have their record in the ledger.'),
        failed: count('number of trials', 'Those that were given up.'),
        running: count('number of trials', 'Those of the lineages that pods work on now.'),
      },
    },
    packs: {
      type: 'object',
      title: 'packs',
      description: 'Counts of packs: the lineages that one pod works on.',
      properties: {
        total: count('number of packs', 'Indices of the Job.'),
        active: count('number of packs', 'Those that have a pod now.'),
        succeeded: count('number of packs', 'Those that are done.'),
        failed: count('number of packs', 'Those that were given up.'),
      },
    },
    networks: count('number of networks', 'Entries of hiddenWidths.'),
    best: text('best', 'The best mean accuracy at the smallest count of weights that has one: 97.31 % at 2657.', 256),
    timeLeft: text('time left', 'Estimated from the trials recorded so far: 2h5m.', 64),
    job: text('job', 'Name of the Job that carries the sweep as it is specified now.', 253),
    failedTrials: {
      type: 'array',
      title: 'failed trials',
      description: 'Up to 20 trials that failed, and why.',
      maxItems: 20,
      items: {
        type: 'object',
        title: 'failed trial',
        description: 'One trial.',
        required: ['trial', 'reason'],
        properties: {
          trial: text('trial', 'Its network, recipe, target and seed, or its id.', 1024),
          reason: text('reason', 'Why it failed.', 32768),
        },
      },
    },
    conditions: {
      type: 'array',
      title: 'conditions',
      description: 'For `kubectl wait --for=condition=Complete psw/NAME`.',
      maxItems: 32,
      items: condition,
    },
  },
};
