/** What is looked at: all of it is in the URL, so that a view can be sent to a colleague. */
import { useEffect, useState } from 'preact/hooks';

export interface View {
  /** None: the list of all sweeps. */
  sweep?: string;
  network?: string;
  recipe?: string;
  /** The sweep that it is compared with. */
  with?: string;
  /** Place of the cell that is open. */
  cell?: number;
  /** What others published is laid over the curve. */
  published: boolean;
}

export function readView(search: string): View {
  const given = new URLSearchParams(search);
  const text = (name: 'sweep' | 'network' | 'recipe' | 'with') => {
    const value = given.get(name);
    return value === null || value === '' ? {} : { [name]: value };
  };
  const cell = given.get('cell');
  return {
    ...text('sweep'),
    ...text('network'),
    ...text('recipe'),
    ...text('with'),
    ...(cell !== null && /^\d{1,9}$/.test(cell) ? { cell: Number(cell) } : {}),
    published: given.get('published') !== 'no',
  };
}

export function viewUrl({ published, ...view }: View): string {
  const given = Object.entries(view).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const search = new URLSearchParams([...given, ...(published ? [] : [['published', 'no']])]);
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
