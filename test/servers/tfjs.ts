/** TensorFlow for Node, as the run obtained it. */
import { inject } from 'vitest';
import { configureTensorFlow, loadTfjs } from '../../trainer/engine/tfjs/binding';

const tfjs = inject('tfjs');
export const hasTfjs = 'path' in tfjs;
/** For the names of tests that need it, so that who skips them reads why. */
export const whyNoTfjs = 'missing' in tfjs ? ` (${tfjs.missing})` : '';

export function tfjsBinding() {
  if (!('path' in tfjs)) throw new Error(tfjs.missing);
  // As trainers do; a test file has a process of its own.
  configureTensorFlow();
  return loadTfjs([tfjs.path]).backend().binding;
}
