// Filters of a list. They stand in the address, so that a link leads to the same view.

/** The part of the address after "#" as values, and a function that changes some of them. */
function useAddress(defaults) {
  const read = () => ({ ...defaults, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) });
  const [values, setValues] = useState(read);
  useEffect(() => {
    const follow = () => setValues(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const change = (changes) => {
    const next = { ...read(), ...changes };
    const said = Object.entries(next).filter(([name, value]) => value !== (defaults[name] || ""));
    history.replaceState(null, "", said.length ? `#${new URLSearchParams(said)}` : location.pathname + location.search);
    setValues(next);
  };
  return [values, change];
}

const counts = (rows, of) => {
  const found = new Map();
  for (const row of rows) for (const value of [of(row)].flat()) found.set(value, (found.get(value) || 0) + 1);
  return found;
};

/** Chips that switch values on and off. `chosen` is a list joined by commas; nothing chosen lets everything through. */
function Chips({ label, found, chosen, onChange, mark }) {
  const on = new Set(chosen ? chosen.split(",") : []);
  const toggle = (value) => {
    on.has(value) ? on.delete(value) : on.add(value);
    onChange([...on].join(","));
  };
  const chip = ([value, count]) =>
    html`<button class=${on.has(value) ? "on" : ""} aria-pressed=${on.has(value)} onClick=${() => toggle(value)}>
      ${mark && html`<${Mark} outcome=${value} />`}${visible(words(value))} <small>${number(count)}</small></button>`;
  return html`<div class="chips" role="group" aria-label=${label}>${[...found].map(chip)}</div>`;
}

/** A choice of one value; not shown where there is only one. */
function Choice({ label, found, chosen, onChange }) {
  if (found.size < 2) return null;
  const values = [...found.keys()].sort((a, b) => compare(a, b));
  const option = (value) =>
    html`<option value=${value} selected=${value === chosen}>${visible(value)} (${found.get(value)})</option>`;
  return html`<label class="choice"><span>${label}</span>
    <select value=${chosen} onChange=${(event) => onChange(event.target.value)}>
      <option value="">all</option>${values.map(option)}</select></label>`;
}

const Words = ({ value, onChange, hint, focus }) => html`<label class="words"><span class="sr">${hint}</span>
  <input type="search" ref=${focus} placeholder=${hint} value=${value} onInput=${(event) => onChange(event.target.value)} />
</label>`;

const has = (row, needle) => !needle || row.toLowerCase().includes(needle.trim().toLowerCase());
const among = (chosen, values) => !chosen || values.some((value) => chosen.split(",").includes(value));
