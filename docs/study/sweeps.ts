/** The sweeps of k8s/samples/study.yaml, whole or as a cut that takes minutes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export interface StudySweep {
  name: string;
  document: {
    metadata: { name: string };
    spec: {
      hiddenWidths: number[][];
      pruneRatios: number[];
      seeds: number;
      recipes: { retraining?: { epochs?: number } }[];
      training: { epochs: number };
      retraining?: { epochs: number };
    };
  };
}

export const STUDY_FILE = join(__dirname, '../../k8s/samples/study.yaml');

export function studySweeps(): StudySweep[] {
  return parseAllDocuments(readFileSync(STUDY_FILE, 'utf8')).map((each) => {
    const document = each.toJS() as StudySweep['document'];
    return { name: document.metadata.name, document };
  });
}

const CUT_RATIOS = [0, 0.9, 0.918, 0.98, 0.99];
const CUT_NETWORKS = ['40,100', '150,100', '300,100', '600,100', '300,200', '300,300'];

/** Every sweep and recipe, with few networks, ratios, seeds and epochs: to see that everything comes out. */
export function cut({ name, document }: StudySweep): StudySweep {
  const { spec } = document;
  const recipes = spec.recipes.map((recipe) => {
    const epochs = recipe.retraining?.epochs;
    return epochs === undefined
      ? recipe
      : { ...recipe, retraining: { ...recipe.retraining, epochs: Math.min(4, epochs) } };
  });
  return {
    name,
    document: {
      ...document,
      spec: {
        ...spec,
        hiddenWidths: spec.hiddenWidths.filter((widths) => CUT_NETWORKS.includes(widths.join())),
        pruneRatios: spec.pruneRatios.filter((ratio) => CUT_RATIOS.includes(ratio)),
        ...{ seeds: 2, recipes, training: { ...spec.training, epochs: 1 } },
        ...(spec.retraining === undefined ? {} : { retraining: { ...spec.retraining, epochs: 1 } }),
      },
    },
  };
}
