// Full-text search over all episodes of a run, or of all runs. The server looks; an exported page has no search over episodes.

function Search({ run }) {
  const [query, setQuery] = useState("");
  const [found, setFound] = useState(null);
  const asked = useRef("");
  useEffect(() => {
    asked.current = query;
    if (query.trim().length < 2) return setFound(null);
    const wait = setTimeout(async () => {
      const about = new URLSearchParams(run ? { q: query, run } : { q: query });
      const answer = await fetch(`${root}api/search?${about}`);
      const hits = answer.ok ? await answer.json() : { hits: [], problem: await answer.text() };
      if (asked.current === query) setFound(hits); // keys come faster than answers
    }, 250);
    return () => clearTimeout(wait);
  }, [query]);
  const address = (hit) => `${link.episode(hit.run, { task: hit.episode.split("/").slice(0, 2).join("/"), episode: hit.episode })}#${encodeURIComponent(hit.place)}`;
  return html`<div class="search"><label><span class="sr">Search messages and transcripts</span><input type="search" placeholder="Search messages and transcripts" value=${query} onInput=${(event) => setQuery(event.target.value)} /></label>
    ${query.trim().length >= 2 && html`<span class="hits" role="status">${found ? `${plural(found.hits.length, "hit")}${found.more ? "+" : ""}` : "…"}</span>`}
    ${found && html`<ul class="results">${found.problem && html`<li>${visible(found.problem)}</li>`}${found.hits.map((hit) => html`<li><a href=${address(hit)}><b>${visible(hit.episode)}</b> <small>${visible(hit.what)}</small><span>${visible(hit.before)}<mark>${visible(hit.match)}</mark>${visible(hit.after)}</span></a></li>`)}${found.more && html`<li class="muted">There are more; use more words.</li>`}${!found.hits.length && !found.problem && html`<li class="muted">Nothing found.</li>`}</ul>`}
  </div>`;
}
