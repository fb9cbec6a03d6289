/** The article's comparison table, ours beside it. */
import { ARTICLE } from '../published';
import { denseRows, groupAt, isMnist, MASKED, mainRows, ofRecipe, REGROW } from '../study';
import { type Drawn, figure } from './figure';
import { missing } from './rows';
import { drawTable, plusMinus, whole } from './style';
import { seedsNote } from './tradeoff';

export interface ArticleRow {
  network: string;
  dense_percent: number | undefined;
  dense_high_percent: number | undefined;
  article_dense_percent: number | undefined;
  remaining_weights: number | undefined;
  masked_percent: number | undefined;
  masked_high_percent: number | undefined;
  article_masked_percent: number | undefined;
  regrow_percent: number | undefined;
  regrow_high_percent: number | undefined;
  article_regrow_percent: number | undefined;
  n: number | undefined;
}

/** Where the article says afterwards that its pruned weights had trained again by mistake. */
const BY_MISTAKE = ['300-200', '300-300'];

const shown = (mean: number | undefined, high: number | undefined) =>
  mean === undefined ? undefined : plusMinus({ mean, high });

export const article = figure<ArticleRow, Drawn<ArticleRow>>({
  name: 'article-table',
  title: 'The networks of the article: test accuracy (%), dense and pruned',
  of(study) {
    const main = mainRows(study);
    const said = (percent: number | undefined) => (isMnist(study) ? percent : undefined);
    const rows = ARTICLE.map(({ network, denseAccuracyPercent, pruned }): ArticleRow => {
      const dense = denseRows(main).find((row) => row.network === network);
      const denseGroup = dense && groupAt(denseRows(main), network, dense.weights);
      const at = (recipe: string) => pruned && groupAt(ofRecipe(main, recipe), network, pruned.remainingWeights);
      const [masked, regrow] = [at(MASKED), at(REGROW)];
      const isMistake = BY_MISTAKE.includes(network);
      return {
        ...{ network, dense_percent: denseGroup?.mean, dense_high_percent: denseGroup?.high },
        ...{ article_dense_percent: said(denseAccuracyPercent), remaining_weights: pruned?.remainingWeights },
        ...{ masked_percent: masked?.mean, masked_high_percent: masked?.high },
        article_masked_percent: isMistake ? undefined : said(pruned?.accuracyPercent),
        ...{ regrow_percent: regrow?.mean, regrow_high_percent: regrow?.high },
        article_regrow_percent: said(isMistake ? pruned?.accuracyPercent : pruned?.regrownAccuracyPercent),
        n: denseGroup?.n ?? masked?.n,
      };
    });
    if (rows.every(({ n }) => n === undefined)) return missing("some of the article's networks");
    const beside = ' The article: one run each, 300-200 and 300-300 with pruned weights training again.';
    return { rows, note: `${seedsNote(rows, '±')}${isMnist(study) ? beside : ''}` };
  },
  draw({ rows, note }, canvas) {
    const number = (value: number | undefined) => (value === undefined ? undefined : String(value));
    return drawTable(canvas, {
      ...{ title: this.title, rows, note },
      columns: [
        { label: 'network', isText: true, of: (row) => row.network },
        { group: 'dense', label: 'ours', of: (row) => shown(row.dense_percent, row.dense_high_percent) },
        { group: 'dense', label: 'article', of: (row) => number(row.article_dense_percent) },
        { label: 'left', of: ({ remaining_weights: left }) => (left === undefined ? undefined : whole(left)) },
        { group: 'masked', label: 'ours', of: (row) => shown(row.masked_percent, row.masked_high_percent) },
        { group: 'masked', label: 'article', of: (row) => number(row.article_masked_percent) },
        { group: 'regrow', label: 'ours', of: (row) => shown(row.regrow_percent, row.regrow_high_percent) },
        { group: 'regrow', label: 'article', of: (row) => number(row.article_regrow_percent) },
      ],
    });
  },
});
