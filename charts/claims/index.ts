/** All claims, and how they are judged together. */
import { holm, type Test, testRegion, together, type Verdict, verdictOf } from '../decision';
import { isMissing, type Missing } from '../figures/figure';
import { isMnist, type Study } from '../study';
import { activations } from './activations';
import type { Claim, Comparison, Judged } from './claim';
import { half } from './half';
import { hanTable1, hanTable2 } from './han';
import { literature } from './literature';
import { numbers } from './numbers';
import { regrowth } from './regrowth';
import { firstRelu, lastRelu } from './relus';
import { secondLayer } from './secondlayer';
import { shallow } from './shallow';

export const CLAIMS: readonly Claim[] = [
  ...[half, activations, secondLayer, lastRelu, firstRelu, regrowth, shallow],
  ...[...numbers, hanTable1, hanTable2, ...literature],
];

export interface JudgedComparison extends Omit<Comparison, 'values'>, Test {
  /** By Holm, over the comparisons of all claims that could be judged. */
  adjusted: number;
  verdict: Verdict;
}

export interface JudgedClaim extends Pick<Claim, 'name' | 'source' | 'statement' | 'rule'> {
  verdict: Verdict | 'not judged';
  comparisons: JudgedComparison[];
  note?: string;
  /** What to run, where it is not judged. */
  missing?: string;
}

const NOT_MNIST = { missing: 'it takes the data set mnist, which its numbers were measured on' };

/** What was published of MNIST neither decides on other data nor stands beside them. */
function madeOf({ of, isOfMnist }: Claim, study: Study): Judged | Missing {
  if (isMnist(study)) return of(study);
  if (isOfMnist) return NOT_MNIST;
  const made = of(study);
  if (isMissing(made)) return made;
  return { ...made, comparisons: made.comparisons.map(({ published: _, ...comparison }) => comparison) };
}

/** Every comparison of every claim is one hypothesis of the family that Holm corrects for. */
export function judge(study: Study, claims: readonly Claim[] = CLAIMS): JudgedClaim[] {
  const made = claims.map((claim) => ({ claim, made: madeOf(claim, study) }));
  const tests = made.flatMap(({ claim, made: judged }) =>
    isMissing(judged)
      ? []
      : judged.comparisons.map(({ values, ...comparison }) => ({
          claim,
          comparison,
          test: testRegion(values, comparison.region),
        })),
  );
  const adjusted = holm(tests.map(({ test }) => test.p));
  return made.map(({ claim, made: judged }) => {
    const { name, source, statement, rule } = claim;
    if (isMissing(judged))
      return { name, source, statement, rule, verdict: 'not judged', comparisons: [], missing: judged.missing };
    const comparisons = tests.flatMap(({ claim: own, comparison, test }, at): JudgedComparison[] =>
      own === claim
        ? [{ ...comparison, ...test, adjusted: adjusted[at]!, verdict: verdictOf(test, adjusted[at]!) }]
        : [],
    );
    const verdict = together(comparisons.map((one) => one.verdict));
    return {
      name,
      source,
      statement,
      rule,
      verdict,
      comparisons,
      ...(judged.note === undefined ? {} : { note: judged.note }),
    };
  });
}
