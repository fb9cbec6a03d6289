import { layerShares } from '../figures/han';
import { HAN } from '../published';
import { denseRows, errorPercent, groupAt, hanCount, hanRows, type Row, type Study } from '../study';
import { type Claim, type Comparison, complete, difference } from './claim';

function replicates(study: Study): { dense: Row[]; pruned: Row[] } {
  const rows = hanRows(study, 'l2', 'masked', 'iterative');
  const count = hanCount(rows);
  return {
    dense: denseRows(rows),
    pruned: (count === undefined ? undefined : groupAt(rows, '300-100', count)?.rows) ?? [],
  };
}

const RECIPE = 'threshold per layer, L2, iterative, about 8.2 % left';
const NEEDED = "Han's recipe at some 8 %, and dense: 300-100, scope layer, masked, iterative, with l2";
const SOURCE = 'Han et al. 2015';

export const hanTable1: Claim = {
  name: 'han-table1',
  isOfMnist: true,
  source: `${SOURCE}, Table 1`,
  statement: 'LeNet-300-100 loses no accuracy at 8 % of its weights: 1.64 % error before, 1.59 % after.',
  rule: `With their recipe (${RECIPE}): error after pruning is at most the one before, paired by seed, and at most 1.59 %.`,
  of(study) {
    const { dense, pruned } = replicates(study);
    const after: Comparison = {
      ...{ what: 'error at 8 %', unit: '%', values: pruned.map(errorPercent) },
      ...{ region: { high: HAN.prunedErrorPercent }, published: HAN.prunedErrorPercent },
    };
    const published = HAN.prunedErrorPercent - HAN.denseErrorPercent;
    const change = difference('error after less before', pruned, dense, errorPercent, { high: 0 });
    const comparisons = [...change.map((one) => ({ ...one, published })), ...(pruned.length === 0 ? [] : [after])];
    return complete(comparisons, 2, NEEDED);
  },
};

const WITHIN = 5;
const QUANTITIES = [
  ['active units', 'active', 'activePercent'],
  ['weights left', 'remaining', 'remainingPercent'],
  ['FLOPs', 'flop', 'flopPercent'],
] as const;

export const hanTable2: Claim = {
  name: 'han-table2',
  isOfMnist: true,
  source: `${SOURCE}, Table 2`,
  statement: 'Layer by layer: active units, weights left and FLOPs are as in their table.',
  rule: `With their recipe (${RECIPE}): each of the eleven numbers that are not so by definition is within ${WITHIN} points of theirs.`,
  of(study) {
    const shares = replicates(study).pruned.map(layerShares);
    const comparisons = HAN.layers.flatMap((han, at) =>
      QUANTITIES.flatMap(([what, ours, theirs]): Comparison[] => {
        const isDefinition = han.layer === 'fc3' && ours === 'active';
        if (shares.length === 0 || isDefinition) return [];
        const published = han[theirs];
        const region = { low: published - WITHIN, high: published + WITHIN };
        return [
          { what: `${han.layer}: ${what}`, unit: '%', values: shares.map((one) => one[at]![ours]), region, published },
        ];
      }),
    );
    return complete(comparisons, 11, NEEDED);
  },
};
