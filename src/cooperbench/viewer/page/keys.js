// Keys. They come faster than the page is drawn, so the place they start from is kept outside of what is drawn.

const KEYS = [
  ["j k", "next, previous step in time"],
  ["h l", "previous, next step of the same member"],
  ["n N", "next, previous message"],
  ["f", "next failure, limit or conflict"],
  ["/", "search; Enter next hit"],
  ["+ - 0", "zoom; Ctrl and wheel zoom too"],
  ["t", "even or clock time"],
  ["Esc", "clear"],
  ["?", "this list"],
];

/** The thing before or after another one among some, in a circle. */
function neighbour(items, here, by) {
  if (!items.length) return null;
  const at = items.indexOf(here);
  if (at >= 0) return items[(at + by + items.length) % items.length];
  if (!here) return items[0];
  if (by > 0) return items.find((item) => item.t0 > here.t0) || items[0];
  return items.findLast((item) => item.t0 < here.t0) || items.at(-1);
}

function Help({ close }) {
  const button = useRef(null);
  useEffect(() => button.current.focus(), []);
  return html`<div class="help" role="dialog" aria-modal="true" aria-label="Keys" onClick=${close}>
    <div class="help-card">
      <h2>Keys</h2>
      <dl>${KEYS.map(([key, text]) => html`<div><dt>${key.split(" ").map((k) => html`<kbd>${k}</kbd>`)}</dt><dd>${text}</dd>
        </div>`)}</dl>
      <button ref=${button} class="plain" onClick=${close}>Close</button>
    </div>
  </div>`;
}

/** Listen for keys; `actions` maps a key to what it does. */
function useKeys(actions, { escape, enter }) {
  useEffect(() => {
    const onKey = (event) => {
      if (event.key === "Escape") return escape();
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
        if (event.key === "Enter" && event.target.id === "search") enter(event.shiftKey ? -1 : 1);
        return undefined;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return undefined;
      event.preventDefault();
      return actions[event.key]();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
}
