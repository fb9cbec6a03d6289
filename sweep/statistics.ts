/** Statistics of replicates, in basic arithmetic alone, so that tables are the same bytes on every machine. */

/** Student's t: the 97.5 % quantile for 1 to 30 degrees of freedom (scipy.stats.t.ppf(0.975, df)). */
const T_975 = [
  12.706204736175, 4.302652729749, 3.182446305284, 2.776445105198, 2.570581835636, 2.446911851145, 2.364624251593,
  2.306004135204, 2.262157162798, 2.228138851986, 2.200985160092, 2.178812829667, 2.160368656463, 2.144786687918,
  2.13144954556, 2.119905299221, 2.109815577833, 2.100922040241, 2.093024054408, 2.085963447266, 2.079613844728,
  2.073873067904, 2.068657610419, 2.063898561628, 2.059538552753, 2.055529438643, 2.05183051648, 2.048407141795,
  2.045229642133, 2.042272456301,
];

/** The 97.5 % quantile of the normal distribution. */
const Z_975 = 1.959963984540054;

/** @param df degrees of freedom, 1 or more. Above 30 the expansion in 1 / df of Abramowitz and Stegun 26.7.5, right to 1e-9. */
export function t975(df: number): number {
  const known = T_975[df - 1];
  if (known !== undefined) return known;
  const z = Z_975;
  const z2 = z * z;
  const terms = [
    (z * (z2 + 1)) / 4,
    (z * ((5 * z2 + 16) * z2 + 3)) / 96,
    (z * (((3 * z2 + 19) * z2 + 17) * z2 - 15)) / 384,
    (z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945)) / 92160,
    (z * (((((27 * z2 + 339) * z2 + 930) * z2 - 1782) * z2 - 765) * z2 + 17955)) / 368640,
  ];
  return terms.reduceRight((sum, term) => (sum + term) / df, 0) + z;
}

/** @param values one or more */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Summary {
  n: number;
  mean: number;
  /** Sample standard deviation; absent for fewer than two, as is the interval. */
  sd?: number;
  /** 95 % interval of the mean by Student's t. */
  low?: number;
  high?: number;
}

/** @param values one or more */
export function summarise(values: readonly number[]): Summary {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { n, mean };
  const squares = values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0);
  const sd = Math.sqrt(squares / (n - 1));
  const half = (t975(n - 1) * sd) / Math.sqrt(n);
  return { n, mean, sd, low: mean - half, high: mean + half };
}
