/** Two sweeps cell by cell: what the other has over this one. */
import { useEffect, useState } from 'preact/hooks';
import type { Comparison } from '../../sweep/compare';
import { percent } from './wording';

const MILLISECONDS_BETWEEN_LOOKS = 5000;
/** More lines are of no use to a reader; the largest differences are what is looked for then. */
const MOST_ROWS = 500;

const points = (fraction: number) => `${fraction < 0 ? '−' : '+'}${(100 * Math.abs(fraction)).toFixed(2)}`;

export function differenceText({ first, second, pairs, same, difference, low, high }: Comparison): string {
  if (second === undefined) return 'only in the first';
  if (first === undefined) return 'only in the second';
  if (difference === undefined) return first.n === 0 || second.n === 0 ? 'not measured yet' : 'no seed in common';
  if (same === pairs) return 'the same trials';
  const interval = low === undefined || high === undefined ? '' : ` (${points(low)} to ${points(high)})`;
  const shared = same === 0 ? '' : `, ${same} the same`;
  return `${points(difference)}${interval}, ${pairs} ${pairs === 1 ? 'pair' : 'pairs'}${shared}`;
}

const meanOf = (side: Comparison['first']) =>
  side === undefined ? '–' : side.mean === undefined ? 'none yet' : `${percent(side.mean)} (${side.n})`;

/** Largest differences first, what has none last. */
const bySize = (a: Comparison, b: Comparison) => Math.abs(b.difference ?? 0) - Math.abs(a.difference ?? 0);

export function Compare({ name, other }: { name: string; other: string }) {
  const [cells, setCells] = useState<Comparison[]>();
  const [error, setError] = useState<string>();
  const [isSorted, setSorted] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const look = async () => {
      try {
        const answer = await fetch(`api/sweeps/${encodeURIComponent(name)}/compare/${encodeURIComponent(other)}`);
        const body = await answer.json();
        if (isOver) return;
        if (answer.ok) setCells(body as Comparison[]);
        setError(answer.ok ? undefined : (body as { error: string }).error);
      } catch {
        if (!isOver) setError('Connection lost; trying again every five seconds.');
      }
      if (!isOver) timer = setTimeout(look, MILLISECONDS_BETWEEN_LOOKS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [name, other]);
  const rows = cells === undefined ? [] : (isSorted ? [...cells].sort(bySize) : cells).slice(0, MOST_ROWS);
  return (
    <section aria-label="Comparison of two sweeps" class="compare">
      <h2>
        {other} less {name}
      </h2>
      {error !== undefined && <p role="status">⚠ {error}</p>}
      {cells !== undefined && (
        <>
          <p>
            Differences of test accuracy in points: means over the seeds that both have, with 95 % intervals (Student
            t).
            {cells.length > MOST_ROWS && ` ${MOST_ROWS} of ${cells.length.toLocaleString('en')} cells are shown.`}
          </p>
          <label>
            <input
              type="checkbox"
              checked={isSorted}
              onChange={({ currentTarget }) => setSorted(currentTarget.checked)}
            />{' '}
            largest differences first
          </label>
          <div class="wide">
            <table>
              <thead>
                <tr>
                  {['network', 'recipe', 'weights left', name, other, 'difference'].map((title, at) => (
                    <th scope="col" key={at}>
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((cell) => (
                  <tr key={`${cell.network} ${cell.recipe} ${cell.remainingWeights}`}>
                    <td>{cell.network}</td>
                    <td>{cell.recipe}</td>
                    <td>{cell.remainingWeights.toLocaleString('en')}</td>
                    <td>{meanOf(cell.first)}</td>
                    <td>{meanOf(cell.second)}</td>
                    <td>{differenceText(cell)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </section>
  );
}
