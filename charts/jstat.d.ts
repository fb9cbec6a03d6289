/** What is used of jstat, which comes without types. */
declare module 'jstat' {
  export const jStat: { studentt: { cdf(t: number, df: number): number } };
}
