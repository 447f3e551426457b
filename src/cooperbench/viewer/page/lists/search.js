// Full-text search over all episodes of a run, or of all runs. The server looks; an exported page has no search over episodes.

const hitAddress = (hit) => {
  const [repo, task] = hit.episode.split("/");
  return `${link.episode(hit.run, { task: `${repo}/${task}`, episode: hit.episode })}#${encodeURIComponent(hit.place)}`;
};

const Hit = ({ hit }) => html`<li><a href=${hitAddress(hit)}><b>${visible(hit.episode)}</b> <small>${visible(hit.what)}</small>
  <span>${visible(hit.before)}<mark>${visible(hit.match)}</mark>${visible(hit.after)}</span></a></li>`;

function Results({ found }) {
  return html`<ul class="results">
    ${found.problem && html`<li class="muted">${visible(found.problem)}</li>`}
    ${found.hits.map((hit) => html`<${Hit} hit=${hit} />`)}
    ${found.more && html`<li class="muted">There are more; use more words.</li>`}
    ${!found.hits.length && !found.problem && html`<li class="muted">Nothing found.</li>`}
  </ul>`;
}

/** Ask the server. What it says instead of an answer is the problem. */
async function ask(query, run) {
  const about = new URLSearchParams(run ? { q: query, run } : { q: query });
  const answer = await fetch(`${root}api/search?${about}`);
  return answer.ok ? answer.json() : { hits: [], problem: await answer.text() };
}

function Search({ run }) {
  const [query, setQuery] = useState("");
  const [found, setFound] = useState(null);
  const asked = useRef("");
  const long = query.trim().length >= 2;
  useEffect(() => {
    asked.current = query;
    if (!long) return setFound(null);
    const wait = setTimeout(async () => {
      const hits = await ask(query, run);
      if (asked.current === query) setFound(hits); // keys come faster than answers
    }, 250);
    return () => clearTimeout(wait);
  }, [query]);
  const hint = "Search messages and transcripts";
  return html`<div class="search">
    <label><span class="sr">${hint}</span>
      <input type="search" placeholder=${hint} value=${query} onInput=${(event) => setQuery(event.target.value)} /></label>
    ${long && html`<span class="hits" role="status">
      ${found ? `${plural(found.hits.length, "hit")}${found.more ? "+" : ""}` : "…"}</span>`}
    ${found && html`<${Results} found=${found} />`}
  </div>`;
}
