/** All sweeps, each in a line. */
import { useEffect, useState } from 'preact/hooks';
import type { ListedSweep } from './shown';
import { ALL, viewUrl } from './view';
import { duration, meanText, STATES } from './wording';

const MILLISECONDS_BETWEEN_LOOKS = 2000;

export function SweepsPage({ open }: { open(name: string): void }) {
  const [sweeps, setSweeps] = useState<ListedSweep[]>();
  const [isLost, setLost] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let isOver = false;
    const look = async () => {
      try {
        const answer = await fetch('api/sweeps');
        setSweeps((await answer.json()) as ListedSweep[]);
        setLost(false);
      } catch {
        setLost(true);
      }
      if (!isOver) timer = setTimeout(look, MILLISECONDS_BETWEEN_LOOKS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <main>
      <h1>Sweeps</h1>
      {isLost && (
        <p class="connection lost" role="status">
          ⚠ Connection lost. What you see is the last that arrived; trying again every two seconds.
        </p>
      )}
      {sweeps?.length === 0 && <p>There is no sweep yet.</p>}
      {sweeps !== undefined && sweeps.length > 0 && (
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th scope="col">sweep</th>
                <th scope="col">state</th>
                <th scope="col">trials</th>
                <th scope="col">time left</th>
                <th scope="col">best at the smallest count</th>
                <th scope="col">age</th>
              </tr>
            </thead>
            <tbody>
              {sweeps.map(({ name, since, state, trials, timeLeftSeconds, best }) => (
                <tr key={name}>
                  <th scope="row">
                    <a
                      href={viewUrl({ ...ALL, sweep: name })}
                      onClick={(event) => {
                        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                        event.preventDefault();
                        open(name);
                      }}
                    >
                      {name}
                    </a>
                  </th>
                  <td>{STATES[state]}</td>
                  <td>
                    {trials.recorded.toLocaleString('en')} of {trials.total.toLocaleString('en')}
                    {trials.failed > 0 && `, ${trials.failed} failed`}
                  </td>
                  <td>{timeLeftSeconds === null ? '–' : duration(timeLeftSeconds)}</td>
                  <td>
                    {best === null
                      ? '–'
                      : `${meanText(best)} % (${best.network}, ${best.remainingWeights.toLocaleString('en')} weights)`}
                  </td>
                  <td>
                    <time dateTime={since} title={new Date(since).toLocaleString()}>
                      {duration(Math.max(0, (Date.now() - Date.parse(since)) / 1000))}
                    </time>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  );
}
