import { recipeName } from '../../sweep/networks';
import { missing } from '../figures/rows';
import { PUBLISHED, type PublishedPoint, publishedCount } from '../published';
import { bestOnValidation, errorPercent, type Row } from '../study';
import type { Claim } from './claim';

/** What a setting is called in a note. */
function nameOf({ recipe, training, retraining }: Row): string {
  const { l1, l2 } = training;
  return recipeName({ ...recipe, l1, l2, ...(retraining === null ? {} : { retraining }) });
}

function claimOf(point: PublishedPoint): Claim {
  const { method, year, remainingPercent, errorPercent: published, source, read } = point;
  const count = publishedCount(point);
  const name = `${method} ${remainingPercent}`
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replaceAll('-.', '.');
  return {
    name: `literature-${name}`,
    isOfMnist: true,
    source: `${source} (${year}${read === 'as quoted' ? ', as quoted' : ''})`,
    statement: `${method}: ${published} % error with ${remainingPercent} % of the weights of LeNet-300-100.`,
    rule: `With ${count} weights left, the recipe of ours that is best on the 5,000 images held back has at most ${published} % test error.`,
    of(study) {
      const best = bestOnValidation(study, count);
      if (best === undefined) return missing(`300-100 at ${count} weights with validation images, two seeds or more`);
      const values = best.rows.map(errorPercent);
      return {
        comparisons: [{ what: `error at ${count}`, unit: '%', values, region: { high: published }, published }],
        note: `${nameOf(best.rows[0]!)}, best of ${best.tries} settings on validation images`,
      };
    },
  };
}

/** Of the literature after Han et al.; and theirs, with our best recipe rather than their own. */
export const literature: readonly Claim[] = PUBLISHED.map(claimOf);
