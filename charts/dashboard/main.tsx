/** The dashboard: all sweeps, or one of them. */
import { render } from 'preact';
import { saved } from './source';
import { SweepPage } from './sweep';
import { SweepsPage } from './sweeps';
import { ALL, useView } from './view';

function Page() {
  const view = useView();
  const [{ sweep }, change] = view;
  if (saved !== undefined) return <SweepPage name={saved.name} view={view} />;
  return (
    <>
      <header>
        <nav aria-label="prunesweep">
          <a
            href="."
            onClick={(event) => {
              event.preventDefault();
              change({ ...ALL, sweep: undefined, with: undefined, cell: undefined });
            }}
          >
            prunesweep: all sweeps
          </a>
        </nav>
      </header>
      {sweep === undefined ? (
        <SweepsPage open={(name) => change({ sweep: name })} />
      ) : (
        <SweepPage key={sweep} name={sweep} view={view} />
      )}
    </>
  );
}

render(<Page />, document.getElementById('page')!);
