/** Identity by content: the same content has the same id in any sweep, on any machine. */
import { hash } from 'node:crypto';
import type { LineageContent, TrialContent } from './trial';

/**
 * JSON with sorted keys and no spaces (RFC 8785 for the values that occur here: its number form is JavaScript's).
 * A grid of 100,000 trials takes this long twice, hence the loop.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

const sha256 = (text: string): string => hash('sha256', text);

/**
 * `canonicalJson` of a trial, written out: it is made for each record that is read and each point of each grid, and so
 * takes a fifth of the time.
 */
function canonicalTrial(content: TrialContent): string {
  const { dataset, hiddenWidths, parent, recipe, remainingWeights, retraining, seed, training, validation } = content;
  const { batchSize, epochs, l1, l2, learningRate, linear, momentum, optimizer } = training;
  const { criterion, keepDense, recovery, schedule, scope } = recipe;
  const text = JSON.stringify;
  // What came later is there only where it is set, so that trials from before it keep their ids.
  const kept = keepDense === undefined ? '' : `"keepDense":${text(keepDense)},`;
  const linearLayers = linear === undefined ? '' : `"linear":${text(linear)},`;
  const again =
    retraining === null
      ? 'null'
      : `{"epochs":${retraining.epochs},"learningRateFactor":${text(retraining.learningRateFactor)}}`;
  return `{"dataset":${text(dataset)},"hiddenWidths":[${hiddenWidths.join(',')}],"parent":${parent === null ? 'null' : text(parent)},"recipe":{"criterion":${text(criterion)},${kept}"recovery":${text(recovery)},"schedule":${text(schedule)},"scope":${text(scope)}},"remainingWeights":${remainingWeights},"retraining":${again},"seed":${seed},"training":{"batchSize":${batchSize},"epochs":${epochs},"l1":${text(l1)},"l2":${text(l2)},"learningRate":${text(learningRate)},${linearLayers}"momentum":${text(momentum)},"optimizer":${text(optimizer)}},"validation":${validation}}`;
}

export const trialId = (content: TrialContent): string => sha256(canonicalTrial(content));
export const lineageId = (content: LineageContent): string => sha256(canonicalJson(content));
