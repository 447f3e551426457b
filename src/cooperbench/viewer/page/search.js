// Search over everything: texts of steps are read in the background, and a search waits for those that are missing.

const MOST_RESULTS = 8;
const SHORTEST = 2; // letters

/** An index that is filled when somebody searches, or when the browser has time. */
const makeIndex = () => ({ texts: new Map(), small: new Map(), complete: false, reading: false });

function addToIndex(picture, index, items) {
  for (const item of items) {
    const text = searchText(picture, item);
    index.texts.set(item.id, text);
    index.small.set(item.id, text.toLowerCase());
  }
}

/** Index what is there, then every part with texts, one after another; `more` is called after each one. */
async function completeIndex(picture, index, more) {
  if (index.reading) return;
  index.reading = true;
  await breathe();
  const items = [...picture.byId.values()];
  for (let first = 0; first < items.length; first += 1000) {
    addToIndex(picture, index, items.slice(first, first + 1000));
    await breathe();
  }
  more();
  for (const name of chunkNames(picture)) {
    await loadChunk(picture, name);
    await breathe();
    const [, agent, chunk] = /^(.*)\.(\d+)$/.exec(name);
    addToIndex(picture, index, picture.member[agent].steps.slice(chunk * CHUNK, (Number(chunk) + 1) * CHUNK));
    more();
  }
  index.complete = true;
  more();
}

/** The ids of everything that holds the words; null for less than two letters. */
function searchAll(index, query) {
  const needle = query.trim().toLowerCase();
  if (needle.length < SHORTEST) return null;
  const found = new Set();
  for (const [id, text] of index.small) if (text.includes(needle)) found.add(id);
  return found;
}

function SearchBox({ query, setQuery, hits, found, index, selected, select, input }) {
  const needle = query.trim();
  return html`<div class="search" role="search">
    <label class="sr" for="search">Search</label>
    <input id="search" ref=${input} type="search" placeholder="Search steps, messages, output" autocomplete="off" value=${query}
      onInput=${(event) => setQuery(event.target.value)} />
    ${hits ? html`<span class="hits" role="status">${plural(hits.size, "hit")}${index.complete ? "" : " …"}
      </span>` : html`<kbd>/</kbd>`}
    ${
      hits &&
      found.length > 0 &&
      html`<ul class="results" aria-label="Hits">
      ${found.slice(0, MOST_RESULTS).map((item) => 
        html`<${Hit} key=${item.id} ...${{ item, needle, select }} text=${index.texts.get(item.id) || ""} on=${selected === item.id} />`)}
      ${found.length > MOST_RESULTS && html`<li class="muted">
        ${number(found.length - MOST_RESULTS)} more: Enter goes from one to the next</li>`}
    </ul>`
    }
  </div>`;
}

function Hit({ item, needle, text, on, select }) {
  const at = Math.max(0, text.toLowerCase().indexOf(needle.toLowerCase()));
  const part = (from, to) => visible(text.slice(from, to).replace(/\s+/g, " "));
  return html`<li class=${on ? "on" : ""}><button tabindex="-1" onMouseDown=${() => select(item.id)}>
    <b>${item.id}</b><span>${part(Math.max(0, at - 30), at)}<mark>${part(at, at + needle.length)}</mark>
      ${part(at + needle.length, at + 90)}</span>
  </button></li>`;
}
