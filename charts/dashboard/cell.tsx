/** A cell in full: its replicates, and one of its trials as it was recorded. */
import * as Plot from '@observablehq/plot';
import { useEffect, useRef, useState } from 'preact/hooks';
import { decodeCounts } from '../../sweep/counts';
import type { Histogram, TrialRecord } from '../../sweep/record';
import { asImage } from './image';
import type { LiveCell, SavedTrial } from './shown';
import { recordOf, trialsOf } from './source';
import { TakeAway } from './takeaway';
import { cellLabel, meanText, percent, stateOf } from './wording';

function Picture({ draw, label, name }: { draw(): Element; label: string; name: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current!.replaceChildren(asImage(draw(), label));
  }, [draw]);
  return (
    <figure>
      <div class={`picture ${name}`} ref={box} />
      <figcaption>
        {label} <TakeAway of={box} name={name} />
      </figcaption>
    </figure>
  );
}

const bins = ({ limit, counts }: Histogram, which: string) => {
  const all = decodeCounts(counts);
  const width = (2 * limit) / all.length;
  return all.map((count, at) => ({ which, x1: -limit + at * width, x2: -limit + (at + 1) * width, count }));
};

function histograms(record: TrialRecord, before: TrialRecord | undefined): Element {
  const rows = [
    ...(before === undefined ? [] : bins(before.histograms.all, 'before')),
    ...bins(record.histograms.all, 'after'),
  ];
  return Plot.plot({
    ...{ width: 340, height: 150, marginLeft: 50 },
    style: { background: 'white', color: '#222' },
    x: { label: 'weight' },
    y: { label: 'surviving weights', grid: true },
    color: { domain: ['before', 'after'], range: ['#767676', '#0072b2'] },
    marks: [Plot.rectY(rows, { x1: 'x1', x2: 'x2', y: 'count', fill: 'which', fillOpacity: 0.6 }), Plot.ruleY([0])],
  });
}

function map(text: string): Element {
  const counts = decodeCounts(text);
  const side = Math.round(Math.sqrt(counts.length));
  const width = 220;
  return Plot.plot({
    ...{ width, height: width, margin: 1, axis: null },
    style: { background: 'white', color: '#222' },
    color: { scheme: 'cividis' },
    marks: [
      Plot.cell(counts, {
        x: (_, at: number) => at % side,
        y: (_, at: number) => Math.floor(at / side),
        fill: (n) => n,
        inset: 0,
      }),
    ],
  });
}

function Layers({ record }: { record: TrialRecord }) {
  const { remainingByLayer, thresholdByLayer, activeProbe, activeMean } = record;
  return (
    <table>
      <caption>Per layer</caption>
      <thead>
        <tr>
          <th scope="col">layer</th>
          <th scope="col">weights left</th>
          <th scope="col">threshold</th>
          <th scope="col">active units, probe</th>
          <th scope="col">active units, mean</th>
        </tr>
      </thead>
      <tbody>
        {remainingByLayer.map((count, at) => (
          <tr key={at}>
            <th scope="row">fc{at + 1}</th>
            <td>{count.toLocaleString('en')}</td>
            <td>{thresholdByLayer[at]!.toPrecision(3)}</td>
            <td>{activeProbe[at] ?? '–'}</td>
            <td>{activeMean[at]?.toFixed(1) ?? '–'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Recorded({ id }: { id: string }) {
  const [found, setFound] = useState<{ record: TrialRecord; before?: TrialRecord } | { error: string }>();
  useEffect(() => {
    let isCurrent = true;
    setFound(undefined);
    const load = async () => {
      const record = await recordOf(id);
      const { parent } = record.trial;
      const before = parent === null ? undefined : await recordOf(parent).catch(() => undefined);
      return { record, ...(before === undefined ? {} : { before }) };
    };
    load()
      .catch((error: Error) => ({ error: error.message }))
      .then((value) => isCurrent && setFound(value));
    return () => {
      isCurrent = false;
    };
  }, [id]);
  const [draws, setDraws] = useState<{ histograms(): Element; map?: () => Element }>();
  useEffect(() => {
    if (found === undefined || 'error' in found) return setDraws(undefined);
    const { record, before } = found;
    const { survivorsByInput } = record;
    setDraws({
      histograms: () => histograms(record, before),
      ...(survivorsByInput === undefined ? {} : { map: () => map(survivorsByInput) }),
    });
  }, [found]);
  if (found === undefined) return <p>Loading…</p>;
  if ('error' in found) return <p role="alert">{found.error}</p>;
  const { record } = found;
  const { test, cost, engine, flopFraction } = record;
  return (
    <>
      <dl>
        <dt>trial id</dt>
        <dd>
          <code>{record.id}</code>
        </dd>
        <dt>test accuracy</dt>
        <dd>
          {percent(test.correct / test.images)} % ({test.correct.toLocaleString('en')} of{' '}
          {test.images.toLocaleString('en')}), loss {test.loss.toPrecision(4)}
        </dd>
        <dt>multiplications</dt>
        <dd>{percent(flopFraction)} % of the dense network's</dd>
        <dt>cost</dt>
        <dd>
          {cost.trainingSeconds.toFixed(1)} s training, {cost.evaluationSeconds.toFixed(1)} s evaluation on {cost.host},
          engine {engine}
        </dd>
      </dl>
      <Layers record={record} />
      {draws !== undefined && (
        <>
          <Picture
            name="histograms"
            draw={draws.histograms}
            label="Weights before (grey) and after (blue) pruning and retraining"
          />
          {draws.map !== undefined && (
            <Picture
              name="map"
              draw={draws.map}
              label="Surviving weights of each input pixel in fc1: dark few, light many"
            />
          )}
        </>
      )}
    </>
  );
}

export function CellDrawer(props: {
  sweep: string;
  cell: LiveCell;
  /** Those that the cell is of; none stands for all. */
  seeds: readonly number[];
  isAtWork: boolean;
  logCommand: string;
  close(): void;
}) {
  const { sweep, cell, seeds, logCommand, close } = props;
  const { network, recipe, remainingWeights, n, failed } = cell;
  const [all, setTrials] = useState<SavedTrial[]>();
  const trials = all?.filter(({ seed }) => seeds.length === 0 || seeds.includes(seed));
  const [chosen, choose] = useState<string>();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    choose(undefined);
    setTrials(undefined);
  }, [cell.at]);
  useEffect(() => {
    let isCurrent = true;
    trialsOf(sweep, cell)
      .then((found) => {
        if (isCurrent) setTrials(found);
      })
      .catch(() => {});
    return () => {
      isCurrent = false;
    };
  }, [sweep, cell.at, n, failed]);
  const id = chosen ?? trials?.find(({ state }) => state === 'recorded')?.id;
  const hasFailed = trials?.some(({ state }) => state === 'failed');
  return (
    <aside class="drawer" aria-label="Cell" onKeyDown={({ key }) => key === 'Escape' && close()}>
      <button type="button" class="close" onClick={close}>
        Close
      </button>
      <h2 tabIndex={-1} ref={heading}>
        {network}, {remainingWeights.toLocaleString('en')} weights left
      </h2>
      <p>{recipe}</p>
      <p>
        {cell.mean === undefined
          ? cellLabel(cell, stateOf(cell, props.isAtWork))
          : `${meanText(cell)} %, ${n} of ${cell.N} seeds`}
      </p>
      <table>
        <caption>Replicates</caption>
        <thead>
          <tr>
            <th scope="col">seed</th>
            <th scope="col">state</th>
            <th scope="col">accuracy</th>
            <th scope="col">trial</th>
          </tr>
        </thead>
        <tbody>
          {trials?.map((trial) => (
            <tr key={trial.id} class={trial.id === id ? 'chosen' : ''}>
              <td>{trial.seed}</td>
              <td>
                {trial.state}
                {trial.failure !== null && <span class="reason">: {trial.failure}</span>}
              </td>
              <td>{trial.accuracy === null ? '–' : percent(trial.accuracy)}</td>
              <td>
                {trial.state === 'recorded' ? (
                  <button type="button" aria-pressed={trial.id === id} onClick={() => choose(trial.id)}>
                    {trial.id.slice(0, 12)}
                  </button>
                ) : (
                  <code>{trial.id.slice(0, 12)}</code>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hasFailed && (
        <p>
          To see how it failed: <code class="command">{logCommand}</code>
        </p>
      )}
      {id !== undefined && <Recorded id={id} />}
    </aside>
  );
}
