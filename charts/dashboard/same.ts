import { useRef } from 'preact/hooks';

/** The list of before for as long as its elements are the same ones, so that what depends on it is not made again. */
export function useSame<Element>(list: readonly Element[]): readonly Element[] {
  const kept = useRef(list);
  const isSame = list.length === kept.current.length && list.every((element, at) => element === kept.current[at]);
  if (!isSame) kept.current = list;
  return kept.current;
}
