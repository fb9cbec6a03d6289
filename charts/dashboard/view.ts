/** What is looked at: all of it is in the URL, so that a view can be sent to a colleague. */
import { useEffect, useState } from 'preact/hooks';

export interface View {
  /** None: the list of all sweeps. */
  sweep?: string;
  /** What is looked at of it; none stands for all. */
  networks: readonly string[];
  recipes: readonly string[];
  seeds: readonly number[];
  /** The sweep that it is compared with. */
  with?: string;
  /** Place of the cell that is open. */
  cell?: number;
  /** What others published is laid over the curve. */
  published: boolean;
}

/** All of it. */
export const ALL: View = { networks: [], recipes: [], seeds: [], published: true };

export function readView(search: string): View {
  const given = new URLSearchParams(search);
  const text = (name: 'sweep' | 'with') => {
    const value = given.get(name);
    return value === null || value === '' ? {} : { [name]: value };
  };
  const names = (name: 'network' | 'recipe') => [...new Set(given.getAll(name))].filter((value) => value !== '');
  const seeds = (given.get('seeds') ?? '').split(',').filter((seed) => /^-?\d{1,15}$/.test(seed));
  const cell = given.get('cell');
  return {
    ...text('sweep'),
    ...text('with'),
    ...{ networks: names('network'), recipes: names('recipe'), seeds: [...new Set(seeds.map(Number))] },
    ...(cell !== null && /^\d{1,9}$/.test(cell) ? { cell: Number(cell) } : {}),
    published: given.get('published') !== 'no',
  };
}

export function viewUrl({ networks, recipes, seeds, published, ...view }: View): string {
  const given = Object.entries(view).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const search = new URLSearchParams([
    ...given,
    ...networks.map((network) => ['network', network]),
    ...recipes.map((recipe) => ['recipe', recipe]),
    ...(seeds.length === 0 ? [] : [['seeds', seeds.join()]]),
    ...(published ? [] : [['published', 'no']]),
  ]);
  return search.size === 0 ? '.' : `?${search}`;
}

/** The view, and what changes parts of it; an undefined part is taken out. */
export function useView(): [View, (change: { [Name in keyof View]?: View[Name] | undefined }) => void] {
  const [view, setView] = useState(() => readView(location.search));
  useEffect(() => {
    const back = () => setView(readView(location.search));
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);
  return [
    view,
    (change) => {
      const next = Object.fromEntries(
        Object.entries({ ...view, ...change }).filter(([, value]) => value !== undefined),
      ) as unknown as View;
      try {
        history.pushState(undefined, '', viewUrl(next));
      } catch {
        // A page that is a file may not change its address.
      }
      setView(next);
    },
  ];
}
