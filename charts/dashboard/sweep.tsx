/** One sweep: how far it is, its table, its curve, and the cell that is open. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { CellDrawer } from './cell';
import { Compare } from './compare';
import { Linked } from './linked';
import { type Sweep, useSweep } from './live';
import { Several } from './several';
import type { LiveCell, Work } from './shown';
import { saved } from './source';
import { save } from './takeaway';
import type { useView } from './view';
import { completeness, duration, meanText, STATES } from './wording';

const NONE: readonly number[] = [];

/** The losses of a step as a line, the last in words beside it. */
function Losses({ values }: { values: readonly number[] }) {
  const known = values.filter((value) => value !== undefined);
  const most = Math.max(...known);
  const points = known.map(
    (value, at) => `${(60 * at) / Math.max(1, known.length - 1)},${19 - (18 * value) / (most || 1)}`,
  );
  return (
    <svg class="losses" width="60" height="20" aria-hidden="true">
      <polyline points={points.join(' ')} fill="none" stroke="currentColor" stroke-width="1.5" />
    </svg>
  );
}

function AtWork({ work, losses }: { work: readonly Work[]; losses: Sweep['losses'] }) {
  if (work.length === 0) return null;
  return (
    <details>
      <summary>
        {work.length} {work.length === 1 ? 'lineage' : 'lineages'} at work
      </summary>
      <ul class="work">
        {work.map(({ lineage, pack, progress }) => (
          <li key={lineage}>
            {progress === undefined
              ? `${pack}: begins`
              : `${progress.network}, seed ${progress.seed}, ${progress.step}: epoch ${progress.epoch} of ${progress.epochs}, loss ${progress.loss.toPrecision(3)} `}
            <Losses values={losses.get(lineage)?.values ?? []} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function Connection({ connection }: Pick<Sweep, 'connection'>) {
  const words = {
    connecting: 'Connecting…',
    live: '● live',
    lost: '⚠ Connection lost. What you see is the last that arrived; trying again every second.',
    saved: 'Saved in this file, as it was.',
    gone: 'This sweep was withdrawn. What you see is the last that arrived.',
  };
  return (
    <p class={`connection ${connection}`} role="status">
      {words[connection]}
    </p>
  );
}

function Choice(props: {
  label: string;
  none: string;
  value: string | undefined;
  options: readonly string[];
  choose(value: string | undefined): void;
}) {
  const { label, none, value, options, choose } = props;
  return (
    <label>
      {label}{' '}
      <select value={value ?? ''} onChange={({ currentTarget }) => choose(currentTarget.value || undefined)}>
        <option value="">{none}</option>
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </label>
  );
}

/** The names of all other sweeps, and of the one that is compared with in any case. */
function useOthers(name: string, compared: string | undefined): string[] {
  const [names, setNames] = useState<string[]>([]);
  useEffect(() => {
    if (saved !== undefined) return;
    fetch('api/sweeps')
      .then((answer) => answer.json())
      .then((sweeps: { name: string }[]) => setNames(sweeps.map((sweep) => sweep.name)))
      .catch(() => {});
  }, [name]);
  return [...new Set([...names, ...(compared === undefined ? [] : [compared])])].filter((other) => other !== name);
}

/** Puts the table into the clipboard. */
function CopyMarkdown({ path }: { path: string }) {
  const [words, setWords] = useState('Copy as Markdown');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(saved?.files.md ?? (await (await fetch(path)).text()));
      setWords('Copied');
    } catch {
      setWords('Not copied: the browser does not allow it here; use Markdown');
    }
    setTimeout(() => setWords('Copy as Markdown'), 3000);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {words}
    </button>
  );
}

function Files({ base }: { base: string }) {
  const kinds = { csv: 'CSV', md: 'Markdown', tex: 'LaTeX' } as const;
  if (saved === undefined)
    return (
      <>
        {Object.entries(kinds).map(([kind, title]) => (
          <>
            <a href={`${base}/table.${kind}`}>{title}</a>{' '}
          </>
        ))}
        <a href={`${base}/trials.parquet`}>Parquet</a>
      </>
    );
  const { files } = saved;
  return (
    <>
      {(Object.keys(kinds) as (keyof typeof kinds)[]).map((kind) => (
        <button key={kind} type="button" onClick={() => save(new Blob([files[kind]]), `table.${kind}`)}>
          {kinds[kind]}
        </button>
      ))}
    </>
  );
}

const namesOf = (cells: readonly LiveCell[], part: 'network' | 'recipe') => [
  ...new Set(cells.map((cell) => cell[part])),
];

export function SweepPage({ name, view: [view, change] }: { name: string; view: ReturnType<typeof useView> }) {
  const { networks, recipes, published } = view;
  const { axes, cells, seeds, status, losses, connection } = useSweep(name, view.seeds);
  const isWaiting = axes !== undefined && seeds.join() !== view.seeds.join();
  const isPart = [networks, recipes, view.seeds].some(({ length }) => length > 0);
  // Cells get other names only with other axes; their numbers come many times a second.
  const names = useMemo(() => ({ networks: namesOf(cells, 'network'), recipes: namesOf(cells, 'recipe') }), [axes]);
  const shown = useMemo(
    () =>
      cells.flatMap(({ at, network, recipe }) =>
        (networks.length === 0 || networks.includes(network)) && (recipes.length === 0 || recipes.includes(recipe))
          ? [at]
          : [],
      ),
    [axes, networks, recipes],
  );
  const others = useOthers(name, view.with);
  const open = view.cell === undefined ? undefined : cells[view.cell];
  const base = `api/sweeps/${encodeURIComponent(name)}`;
  return (
    <main>
      <h1>{name}</h1>
      <Connection connection={connection} />
      {status !== undefined && (
        <section aria-label="Progress" class="progress">
          <p>
            <strong>{STATES[status.state]}</strong>
            {status.timeLeftSeconds !== null && `, about ${duration(status.timeLeftSeconds)} left`}
            {status.recordsPerMinute > 0 && `, ${status.recordsPerMinute} records a minute`}
            {status.best !== null &&
              `. Best at ${status.best.remainingWeights.toLocaleString('en')} weights: ${status.best.network} with ${meanText(status.best)} %`}
          </p>
          <progress max={status.trials.total} value={status.trials.recorded} aria-label="Trials with a record" />
          <p>
            {completeness(status)}
            {status.ledger.last !== undefined &&
              ` Ledger: ${status.ledger.last - status.ledger.folded} messages behind.`}
          </p>
          {status.conflicts.length > 0 && (
            <p role="alert">
              ✕ {status.conflicts.length} trials were measured twice with different results: one of the machines is
              faulty.
            </p>
          )}
          <AtWork work={status.atWork} losses={losses} />
        </section>
      )}
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <Several
          label="Networks"
          options={names.networks}
          chosen={networks}
          choose={(chosen) => change({ networks: chosen })}
        />
        <Several
          label="Recipes"
          options={names.recipes}
          chosen={recipes}
          choose={(chosen) => change({ recipes: chosen })}
        />
        <Several
          label="Seeds"
          options={axes?.seeds ?? []}
          chosen={view.seeds}
          choose={(chosen) => change({ seeds: chosen })}
        />
        <label>
          <input
            type="checkbox"
            checked={published}
            onChange={({ currentTarget }) => change({ published: currentTarget.checked })}
          />{' '}
          published points
        </label>
        {others.length > 0 && (
          <Choice
            label="Compare with"
            none="no other"
            value={view.with}
            options={others}
            choose={(value) => change({ with: value })}
          />
        )}
        <span>
          Take away{isPart && ' the whole sweep'}: <Files base={base} /> <CopyMarkdown path={`${base}/table.md`} />
        </span>
      </form>
      {isWaiting && <p role="status">The cells of these seeds have not come yet; below are the ones before.</p>}
      {axes !== undefined && (
        <div class={`both${isWaiting ? ' waiting' : ''}`} aria-busy={isWaiting}>
          <Linked
            axes={axes}
            cells={cells}
            shown={shown}
            networks={names.networks}
            atWork={status?.cellsAtWork ?? NONE}
            view={{ ...view, seeds }}
            choose={({ at }) => change({ cell: at })}
          />
        </div>
      )}
      {view.with !== undefined && <Compare key={view.with} name={name} other={view.with} />}
      {open !== undefined && axes !== undefined && (
        <CellDrawer
          sweep={name}
          cell={open}
          seeds={seeds}
          isAtWork={status?.cellsAtWork.includes(open.at) ?? false}
          logCommand={axes.logCommand}
          close={() => {
            change({ cell: undefined });
            document.querySelector<HTMLElement>('[role=grid] [tabindex="0"]')?.focus();
          }}
        />
      )}
    </main>
  );
}
