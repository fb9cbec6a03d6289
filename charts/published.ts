/** What others measured with LeNet-300-100 on MNIST: beside ours in figures, and decided on by claims. */

/** Of LeNet-300-100. */
const WEIGHTS = 266_200;

export interface PublishedPoint {
  /** What it is called in figures and tables. */
  method: string;
  year: number;
  /** Weights left, in percent. */
  remainingPercent: number;
  /** Test error, in percent. */
  errorPercent: number;
  /** Whether the number was read in the work itself, or as another work quotes it. */
  read: 'at its source' | 'as quoted';
  /** Of the whole literature, or of this article alone, which counts weights. */
  source: string;
}

const point = (
  method: string,
  year: number,
  remainingPercent: number,
  errorPercent: number,
  read: PublishedPoint['read'],
  source: string,
): PublishedPoint => ({ method, year, remainingPercent, errorPercent, read, source });

export const publishedCount = ({ remainingPercent }: PublishedPoint): number =>
  Math.round((remainingPercent / 100) * WEIGHTS);

/** By falling share of what is left. */
export const PUBLISHED: readonly PublishedPoint[] = [
  point('Han et al.', 2015, 8.2, 1.59, 'at its source', 'arXiv 1506.02626, Table 1'),
  point('OBD', 1990, 8, 2.0, 'as quoted', 'LeCun et al. 1990'),
  point('SNIP 5 %', 2019, 5, 1.6, 'as quoted', 'Lee et al. 2019'),
  point('LC 5 %', 2018, 5, 2.18, 'at its source', 'Carreira-Perpinan and Idelbayev 2018'),
  point('soft sharing', 2017, 4.3, 1.94, 'at its source', 'Ullrich et al. 2017'),
  point('RigL', 2020, 2.5, 1.48, 'at its source', 'Evci et al. 2020'),
  point('DST', 2020, 2.48, 2.31, 'at its source', 'Liu et al. 2020'),
  point('SNIP 2 %', 2019, 2, 2.4, 'as quoted', 'Lee et al. 2019'),
  point('DNS', 2016, 1.8, 1.99, 'as quoted', 'Guo et al. 2016'),
  point('L-OBS', 2017, 1.5, 2.0, 'as quoted', 'Dong et al. 2017'),
  point('sparse VD', 2017, 1.4, 1.92, 'at its source', 'Molchanov et al. 2017'),
  point('LC 1 %', 2018, 1, 3.2, 'as quoted', 'Carreira-Perpinan and Idelbayev 2018'),
];

/** Han et al. 2015, Tables 1 and 2: LeNet-300-100. */
export const HAN = {
  denseErrorPercent: 1.64,
  prunedErrorPercent: 1.59,
  weights: '267K',
  remaining: '22K',
  compression: 12,
  layers: [
    { layer: 'fc1', weights: '235K', activePercent: 38, remainingPercent: 8, flopPercent: 8 },
    { layer: 'fc2', weights: '30K', activePercent: 65, remainingPercent: 9, flopPercent: 4 },
    { layer: 'fc3', weights: '1K', activePercent: 100, remainingPercent: 26, flopPercent: 17 },
    { layer: 'total', weights: '266K', activePercent: 46, remainingPercent: 8, flopPercent: 8 },
  ],
} as const;

/** A network of the article: what it reports, one seed each. */
export interface ArticleNetwork {
  network: string;
  /** Correct of 10,000, or as roughly as it is given, dense. */
  denseAccuracyPercent?: number;
  /** Units above zero for its "6", in fc1 and fc2, dense. */
  active?: readonly [number, number];
  pruned?: {
    remainingWeights: number;
    byLayer?: readonly [number, number, number];
    accuracyPercent: number;
    /** With the pruned weights training again, by mistake. */
    regrownAccuracyPercent?: number;
    active?: readonly [number, number];
  };
}

export const ARTICLE: readonly ArticleNetwork[] = [
  { network: '150-100', denseAccuracyPercent: 96.97, active: [78, 74] },
  { network: '300-100', pruned: { remainingWeights: 2657, accuracyPercent: 65, regrownAccuracyPercent: 96 } },
  {
    ...{ network: '600-100', denseAccuracyPercent: 97, active: [303, 76] },
    pruned: { remainingWeights: 2657, byLayer: [652, 1433, 572], accuracyPercent: 89, active: [78, 71] },
  },
  { network: '1200-100', denseAccuracyPercent: 97.49, active: [623, 77] },
  {
    ...{ network: '300-200', denseAccuracyPercent: 97, active: [190, 137] },
    pruned: { remainingWeights: 2663, byLayer: [1102, 835, 725], accuracyPercent: 96, active: [49, 98] },
  },
  {
    network: '300-300',
    pruned: { remainingWeights: 1641, byLayer: [1043, 268, 330], accuracyPercent: 96, active: [22, 47] },
  },
];
