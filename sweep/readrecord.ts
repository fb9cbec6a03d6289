/** From anything to a record, or to why it is none. Records outlive the program that wrote them, and are read as today's. */
import Ajv, { type ValidateFunction } from 'ajv';
import { encodeCounts, sumOfCounts } from './counts';
import { trialId } from './ids';
import { RECORD_VERSION, type TrialRecord } from './record';

const count = { type: 'integer', minimum: 0 };
const number = { type: 'number' };
const text = { type: 'string' };
const listOf = (items: object) => ({ type: 'array', items });
const exactly = (properties: Record<string, object>, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

const evaluation = exactly({ correct: count, images: count, loss: number });
const trial = exactly({
  dataset: text,
  validation: count,
  hiddenWidths: listOf(count),
  training: exactly(
    {
      ...{ epochs: count, batchSize: count, optimizer: text },
      ...{ learningRate: number, momentum: number, l1: number, l2: number, linear: listOf(text) },
    },
    ['linear'],
  ),
  seed: count,
  recipe: exactly({ criterion: text, scope: text, recovery: text, schedule: text, keepDense: listOf(text) }, [
    'keepDense',
  ]),
  retraining: { anyOf: [{ type: 'null' }, exactly({ epochs: count, learningRateFactor: number })] },
  remainingWeights: count,
  parent: { type: ['string', 'null'] },
});

const histogramsOf = (counts: object) => {
  const histogram = exactly({ limit: number, counts });
  return exactly({ all: histogram, layers: listOf(histogram) });
};

const version1 = {
  ...{ version: { const: 1 }, id: text, trial, engine: text },
  ...{ remainingByLayer: listOf(count), thresholdByLayer: listOf(number) },
  ...{ test: evaluation, validation: evaluation, testCorrectWithoutRelu: listOf(count) },
  ...{ activeProbe: listOf(count), activeMean: listOf(number), flopFraction: number },
  histograms: histogramsOf(listOf(count)),
  cost: exactly({
    ...{ trainingSeconds: number, evaluationSeconds: number, worker: count, host: text },
    versions: { type: 'object', additionalProperties: text },
  }),
};
/** Adds the map of fc1, and writes counts as text. */
const version2 = { ...version1, version: { const: 2 }, histograms: histogramsOf(text), survivorsByInput: text };

/** What a record of each version is. A version that was ever published stays here. */
const SCHEMAS: Record<number, object> = {
  1: exactly(version1, ['validation']),
  2: exactly(version2, ['validation', 'survivorsByInput']),
};

const ajv = new Ajv({ strict: true, allowUnionTypes: true });
/** Compiled when the first record of a version is read: the two take 70 ms, and a trainer on new ground reads none. */
const validators = new Map<unknown, ValidateFunction>();

function validatorOf(version: unknown): ValidateFunction {
  const schema = typeof version === 'number' ? SCHEMAS[version] : undefined;
  if (schema === undefined)
    throw new OtherVersion(
      `a record of version ${JSON.stringify(version)}, this program reads ${Object.keys(SCHEMAS).join(', ')}`,
    );
  const known = validators.get(version) ?? ajv.compile(schema);
  validators.set(version, known);
  return known;
}

export class OtherVersion extends Error {}

/** @throws OtherVersion, or Error that says why it is no record */
export function readRecord(value: unknown): TrialRecord {
  const { version } = (value ?? {}) as { version?: unknown };
  if (version === undefined) throw new Error('not a record: it has no version');
  const validate = validatorOf(version);
  if (!validate(value)) throw new Error(`not a record: ${ajv.errorsText(validate.errors, { dataVar: 'it' })}`);
  const record = version === 1 ? fromVersion1(value as Version1) : (value as TrialRecord);
  if (trialId(record.trial) !== record.id) throw new Error(`its trial id ${record.id} is not that of its trial`);
  checkMeaning(record);
  return record;
}

type Version1 = Omit<TrialRecord, 'version' | 'histograms'> & {
  version: 1;
  histograms: Record<'all', ListHistogram> & Record<'layers', ListHistogram[]>;
};
interface ListHistogram {
  limit: number;
  counts: number[];
}

function fromVersion1(record: Version1): TrialRecord {
  const { all, layers } = record.histograms;
  const asText = ({ limit, counts }: ListHistogram) => ({ limit, counts: encodeCounts(counts) });
  const histograms = { all: asText(all), layers: layers.map(asText) };
  return { ...record, version: RECORD_VERSION, histograms };
}

function sumOf(what: string, counts: string): number {
  try {
    return sumOfCounts(counts);
  } catch (error) {
    throw new Error(`not a record: its ${what} cannot be read, ${(error as Error).message}`);
  }
}

/** What no schema can say: a count a layer, counts that add up, and no more right answers than images. */
function checkMeaning(record: TrialRecord): void {
  const { trial, remainingByLayer, histograms, testCorrectWithoutRelu, test, validation, survivorsByInput } = record;
  const hidden = trial.hiddenWidths.length;
  if (
    [remainingByLayer, histograms.layers].some(({ length }) => length !== hidden + 1) ||
    testCorrectWithoutRelu.length !== hidden
  )
    throw new Error(`not a record: its lists are not those of a network with ${hidden} hidden layers`);
  const remaining = remainingByLayer.reduce((sum, n) => sum + n, 0);
  if (remaining !== trial.remainingWeights)
    throw new Error(`not a record: ${remaining} weights are left, its trial leaves ${trial.remainingWeights}`);
  for (const { counts } of [histograms.all, ...histograms.layers]) sumOf('histogram', counts);
  if (survivorsByInput !== undefined) {
    const mapped = sumOf('map', survivorsByInput);
    if (mapped !== remainingByLayer[0])
      throw new Error(`not a record: its map has ${mapped} weights, fc1 ${remainingByLayer[0]}`);
  }
  for (const { correct, images } of [test, ...(validation === undefined ? [] : [validation])])
    if (correct > images || images === 0) throw new Error(`not a record: ${correct} of ${images} images are correct`);
}
