/** Some of many: a box that opens, whose line says what is chosen. None chosen stands for all. */
import { useState } from 'preact/hooks';

/** With more of them one is searched for. */
const FEW = 20;
/** So many are named in the line. */
const NAMED = 3;

export function Several<Option extends string | number>(props: {
  label: string;
  options: readonly Option[];
  chosen: readonly Option[];
  choose(options: Option[]): void;
}) {
  const { label, chosen, choose } = props;
  // What a link asks for and the sweep has not can be taken back all the same.
  const options = [...new Set([...props.options, ...chosen])];
  const [isOpen, setOpen] = useState(false);
  const [part, setPart] = useState('');
  const words =
    chosen.length === 0
      ? `all ${options.length}`
      : chosen.length <= NAMED
        ? chosen.join(', ')
        : `${chosen.length} of ${options.length}`;
  const found = options.filter((option) => String(option).includes(part.trim()));
  const flip = (option: Option) =>
    options.filter((one) => (one === option ? !chosen.includes(one) : chosen.includes(one)));
  return (
    <details class="several" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {label}: {words}
      </summary>
      {isOpen && (
        <fieldset>
          <legend class="unseen">{label}</legend>
          {options.length > FEW && (
            <input
              type="search"
              aria-label={`Search: ${label}`}
              placeholder="part of it"
              value={part}
              onInput={({ currentTarget }) => setPart(currentTarget.value)}
            />
          )}
          <label>
            <input type="checkbox" checked={chosen.length === 0} onChange={() => choose([])} /> all
          </label>
          {found.map((option) => (
            <label key={option}>
              <input type="checkbox" checked={chosen.includes(option)} onChange={() => choose(flip(option))} /> {option}
            </label>
          ))}
        </fieldset>
      )}
    </details>
  );
}
