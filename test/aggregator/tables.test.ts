import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { costsCsv, tableCsv, trialsCsv } from '../../aggregator/csv';
import { trialsParquet } from '../../aggregator/parquet';
import { axesOf, tableJson, tableLatex, tableMarkdown } from '../../aggregator/table';
import { cells } from '../../sweep/cells';
import { gridPoints } from '../../sweep/grid';
import type { TrialRecord } from '../../sweep/record';
import { MNIST, recordOf, sweepOf } from '../fixtures';

const { spec } = sweepOf({
  hiddenWidths: [[600, 100], [40]],
  pruneRatios: [0, 0.995],
  remainingWeights: [2657],
  seeds: 2,
  recipes: [{}, { recovery: 'none', l2: 0.0001 }],
});
const points = gridPoints(spec, MNIST);
const records = new Map(points.map((point, index) => [point.trial.id, recordOf(point, 9500 + 21 * index)]));
const without = (count: number) => new Map([...records].slice(count));
const axes = axesOf(spec, MNIST);

describe('trials.csv', () => {
  it('has the promised columns, then l1 and l2 when a recipe sets its own', () => {
    const plain = gridPoints(sweepOf({}).spec, MNIST);
    expect(trialsCsv(plain, new Map()).trimEnd()).toMatch(/^trial_id,.*,flop_fraction,engine$/);
    expect(trialsCsv(points, records).split('\n')[0]).toBe(
      'trial_id,dataset,network,seed,criterion,scope,recovery,schedule,prune_ratio,requested_weights,remaining_weights,' +
        'remaining_by_layer,threshold_by_layer,test_correct,test_accuracy,test_loss,validation_accuracy,test_correct_without_relu,' +
        'active_probe,active_mean,flop_fraction,engine,l1,l2',
    );
  });

  it('has a row for each recorded trial in the order of the grid', () => {
    const rows = trialsCsv(points, without(3)).trimEnd().split('\n').slice(1);
    expect(rows.map((row) => row.split(',')[0])).toEqual(points.slice(3).map(({ trial }) => trial.id));
    expect(rows[0]).toBe(
      `${points[3]!.trial.id},mnist,600-100,2,magnitude,global,masked,iterative,0.995,2657,2657,887;885;885,0.01;0.02;0.03,` +
        '9563,0.9563,0.123456789012345,,9463;9363,300;50,200;33.333333333333336,0.25,wasm,0,0',
    );
  });

  it('leaves the ratio of an absolute target empty', () => {
    const point = points.find(({ network, trial }) => network === '40' && trial.content.remainingWeights === 2657)!;
    expect(trialsCsv([point], records).split('\n')[1]).toContain(',iterative,,2657,');
  });

  it('does not depend on the order of the records', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...records], { minLength: records.size }), (shuffled) => {
        expect(trialsCsv(points, new Map(shuffled))).toBe(trialsCsv(points, records));
      }),
      { numRuns: 10 },
    );
  });

  it('names IDX data by the beginning of its digest', () => {
    const identity = `sha256:${'0123456789abcdef'.repeat(4)}`;
    const [point] = gridPoints(sweepOf({}, { ...MNIST, identity }).spec, { ...MNIST, identity });
    expect(trialsCsv([point!], new Map([[point!.trial.id, recordOf(point!, 9000)]]))).toContain(
      ',sha256:0123456789ab,',
    );
  });
});

describe('trials.parquet', () => {
  const read = async (bytes: Uint8Array) => {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    return { rows: await parquetReadObjects({ file }), metadata: parquetMetadata(file) };
  };

  it('says what trials.csv says, with types, and the histograms', async () => {
    const { rows, metadata } = await read(trialsParquet(points, records));
    const types = new Map(metadata.schema.map(({ name, type }) => [name, type]));
    expect([types.get('seed'), types.get('test_accuracy'), types.get('network')]).toEqual([
      'INT64',
      'DOUBLE',
      'BYTE_ARRAY',
    ]);
    const csv = trialsCsv(points, records).trimEnd().split('\n');
    const header = csv[0]!.split(',');
    for (const [index, row] of rows.entries()) {
      const fields = header.map((name) => {
        const value = row[name] as unknown;
        return value === null || value === undefined ? '' : Array.isArray(value) ? value.join(';') : String(value);
      });
      expect(fields.join(',')).toBe(csv[index + 1]);
    }
    expect(rows[0]!.histogram_fc3_counts).toEqual(Array.from({ length: 100 }, (_, bin) => BigInt(bin)));
    expect(rows.at(-1)!.histogram_fc3_counts ?? null).toBeNull();
    expect(rows[0]!.histogram_all_limit).toBe(0.5);
  });

  it('is the same bytes every time', () => {
    expect(trialsParquet(points, records)).toEqual(trialsParquet(points, new Map([...records].reverse())));
  });

  it('can be empty', async () => {
    expect((await read(trialsParquet(points, new Map()))).rows).toEqual([]);
  });
});

describe('table.csv', () => {
  it('has a row a cell', () => {
    const table = tableCsv(cells(points, without(1))).split('\n');
    expect(table[0]).toBe('network,recipe,prune_ratio,remaining_weights,n,N,mean,sd,low,high');
    expect(table[1]).toBe('600-100,magnitude/global/masked/iterative,0,531400,1,2,0.9521,,,');
    expect(table[2]).toMatch(
      /^600-100,magnitude\/global\/masked\/iterative,0\.995,2657,2,2,0\.955\d*,0\.001\d+,0\.9\d+,0\.9\d+$/,
    );
    expect(table).toHaveLength(1 + 4 + 6 + 1);
  });
});

describe('the table for people', () => {
  it('in Markdown sets networks against what is left, and shows a merged target in each of its columns', () => {
    expect(tableMarkdown(cells(points, without(1)), axes)).toMatchInlineSnapshot(`
      "Test accuracy in percent, mean of 2 seeds ± half of the 95 % interval (Student t); columns: what is left of the weights.

      | network | weights | recipe                                    |          100 % |        0.5 % |        2,657 |
      |---------|--------:|-------------------------------------------|---------------:|-------------:|-------------:|
      | 600-100 | 531,400 | magnitude/global/masked/iterative         | 95.21 (1 of 2) | 95.53 ± 1.33 | 95.53 ± 1.33 |
      | 600-100 | 531,400 | magnitude/global/none/iterative l2=0.0001 |   95.95 ± 1.33 | 96.36 ± 1.33 | 96.36 ± 1.33 |
      | 40      |  31,760 | magnitude/global/masked/iterative         |   96.78 ± 1.33 | 97.63 ± 1.33 | 97.20 ± 1.33 |
      | 40      |  31,760 | magnitude/global/none/iterative l2=0.0001 |   98.05 ± 1.33 | 98.89 ± 1.33 | 98.47 ± 1.33 |
      "
    `);
  });

  it('in LaTeX is a booktabs tabular', () => {
    expect(tableLatex(cells(points, new Map()), axes)).toMatchInlineSnapshot(`
      "% Test accuracy in percent, mean of 2 seeds ± half of the 95 % interval (Student t); columns: what is left of the weights.
      \\begin{tabular}{lrlrrr}
      \\toprule
      network & weights & recipe & 100\\,\\% & 0.5\\,\\% & 2,657 \\\\
      \\midrule
      600-100 & 531,400 & magnitude/global/masked/iterative & -- (0 of 2) & -- (0 of 2) & -- (0 of 2) \\\\
      600-100 & 531,400 & magnitude/global/none/iterative l2=0.0001 & -- (0 of 2) & -- (0 of 2) & -- (0 of 2) \\\\
      40 & 31,760 & magnitude/global/masked/iterative & -- (0 of 2) & -- (0 of 2) & -- (0 of 2) \\\\
      40 & 31,760 & magnitude/global/none/iterative l2=0.0001 & -- (0 of 2) & -- (0 of 2) & -- (0 of 2) \\\\
      \\bottomrule
      \\end{tabular}
      "
    `);
  });

  it('in JSON is the cells', () => {
    expect(JSON.parse(tableJson(cells(points, records)))).toEqual(JSON.parse(JSON.stringify(cells(points, records))));
  });
});

/** RFC 4180, read independently of how it is written. */
function parseCsv(text: string): string[][] {
  const fields = [...text.matchAll(/("(?:[^"]|"")*"|[^,\n]*)(,|\n)/g)];
  const rows: string[][] = [[]];
  for (const [, field, end] of fields) {
    rows.at(-1)!.push(field!.startsWith('"') ? field!.slice(1, -1).replaceAll('""', '"') : field!);
    if (end === '\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

describe('costs.csv', () => {
  it('parses back, whatever a host is called', () => {
    const [point] = points;
    const record = recordOf(point!, 9000);
    const name = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', ';', 'é') });
    fc.assert(
      fc.property(name, (host) => {
        const named = { ...record, cost: { ...record.cost, host } };
        const text = costsCsv([point!], new Map([[point!.trial.id, named]]));
        expect(parseCsv(text)[1]).toEqual([point!.trial.id, '1.5', '0.25', '1', host, 'prunesweep 0.1.0']);
      }),
    );
  });

  it('quotes what needs it', () => {
    const [point] = points;
    const record: TrialRecord = { ...recordOf(point!, 9000) };
    record.cost = { ...record.cost, host: 'a "b", c', versions: { prunesweep: '0.1.0', node: '22' } };
    expect(costsCsv([point!], new Map([[point!.trial.id, record]]))).toBe(
      `trial_id,training_seconds,evaluation_seconds,worker,host,versions\n${point!.trial.id},1.5,0.25,1,"a ""b"", c",prunesweep 0.1.0;node 22\n`,
    );
  });
});
