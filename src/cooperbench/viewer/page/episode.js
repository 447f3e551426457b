// The page of an episode: what is chosen, searched, zoomed; one selection, one address.

const LEGEND = [
  ["model", "model"],
  ["read", "reads"],
  ["act", "edits, runs, git"],
  ["wait", "waits"],
  ["msg", "message, sent to read"],
  ["push", "push, fetch"],
  ["flag", "submits"],
];

const hashId = (picture) => {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    return null; // a broken address names nothing
  }
  return picture.byId.has(id) ? id : null;
};

/** Choose by address, by key or by click; the address follows. */
function useSelection(picture) {
  const first = () => {
    const jump = picture.page.verdict.jump;
    const item = picture.byId.get(jump) || picture.failures[0] || picture.talk[0] || picture.order[0];
    return hashId(picture) || (item ? item.id : null);
  };
  const [selected, setSelected] = useState(first);
  const now = useRef(selected);
  const select = (id) => {
    now.current = id;
    setSelected(id);
    history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  };
  useEffect(() => {
    const onHash = () => hashId(picture) && select(hashId(picture));
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, [picture]);
  return { selected, select, here: () => picture.byId.get(now.current) };
}

/** What is searched for, what was found, and the index behind it. */
function useSearch(picture, ready) {
  const [query, setQuery] = useState("");
  const [read, setRead] = useState(0);
  const index = useMemo(() => makeIndex(), [picture]);
  const wanted = useRef(false);
  wanted.current = query.trim().length >= SHORTEST;
  useEffect(() => {
    // A page that has everything in itself reads ahead; a server is asked when somebody searches.
    const ahead = ready && document.querySelector("[id^=part-]");
    if (ahead || wanted.current) completeIndex(picture, index, () => wanted.current && setRead((n) => n + 1));
  }, [index, ready, wanted.current]);
  const hits = useMemo(() => searchAll(index, query), [index, query, read]);
  const inTime = (one, other) => one.t0 - other.t0;
  const found = useMemo(() => (hits ? [...hits].map((id) => picture.byId.get(id)).sort(inTime) : []), [hits]);
  return { query, setQuery, hits, found, index };
}

/** Draw in pieces: the reason first, then the lanes, then the rest, so that no piece keeps the browser busy for long. */
function usePieces(count) {
  const [piece, setPiece] = useState(0);
  useEffect(() => {
    if (piece < count) breathe().then(() => setPiece(piece + 1));
    else document.documentElement.dataset.ready = "true";
  }, [piece]);
  return piece;
}

function Episode({ picture }) {
  const { selected, select, here } = useSelection(picture);
  const [mode, setMode] = useState("even");
  const [zoom, zoomBy] = useZoom();
  const [help, setHelp] = useState(false);
  const [said, setSaid] = useState("");
  const input = useRef(null);
  const piece = usePieces(3);
  const search = useSearch(picture, piece === 3);

  const choose = (items, by, none) => {
    const next = neighbour(items, here(), by);
    setSaid(next ? "" : none);
    if (next) select(next.id);
  };
  const order = () => (search.hits ? search.found : picture.order);
  const lane = () => (here() && here().type === "step" ? picture.member[here().agent].steps : picture.order);
  const actions = {
    j: () => choose(order(), 1, "No steps."),
    k: () => choose(order(), -1, "No steps."),
    h: () => choose(lane(), -1, "No steps."),
    l: () => choose(lane(), 1, "No steps."),
    n: () => choose(picture.talk, 1, "No messages."),
    N: () => choose(picture.talk, -1, "No messages."),
    f: () => choose(picture.failures, 1, "Nothing failed here."),
    "/": () => input.current.focus(),
    "?": () => setHelp((open) => !open),
    t: () => setMode((old) => (old === "even" ? "clock" : "even")),
    "+": () => zoomBy(1.5),
    "=": () => zoomBy(1.5),
    "-": () => zoomBy(1 / 1.5),
    0: () => zoomBy(0),
  };
  const escape = () => {
    search.setQuery("");
    setHelp(false);
    setSaid("");
    document.activeElement.blur();
  };
  useKeys(actions, { escape, enter: (by) => choose(order(), by, "No hits.") });

  const shared = { picture, selected, select, hits: search.hits };
  return html`<div>
    <${TopBar} picture=${picture}><${SearchBox} ...${search} selected=${selected} select=${select} input=${input} />
      <button class="icon" aria-label="keys (?)" title="keys (?)" onClick=${() => setHelp(!help)}>?</button><//>
    <main>
      <div class="lead"><${Verdict} ...${shared} /><${Matrix} ...${shared} /></div>
      <${Facts} picture=${picture} />
      ${piece > 0 && html`<${Tools} ...${{ mode, setMode, zoomBy }} />
        <${Lanes} ...${shared} mode=${mode} zoom=${zoom} zoomBy=${zoomBy} />`}
      ${piece > 1 && html`<div class="two"><${Detail} ...${shared} go=${(by) => choose(order(), by, "No steps.")} />
        <${Conversation} ...${shared} /></div>`}
      ${piece > 2 && html`<${MergeSection} ...${shared} /><${TestsSection} ...${shared} /><${FilesSection} ...${shared} />
        <${LabelsSection} ...${shared} />
        <${Footnote} picture=${picture} />`}
    </main>
    <p class="said" role="status">${said}</p>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}
  </div>`;
}

function TopBar({ picture, children }) {
  const { page } = picture;
  const features = page.features.map((feature) => `f${feature}`).join(" + ");
  return html`<nav class="top" aria-label="Episode">
    <span class="crumbs"><${Upwards}>${page.run}</${Upwards}><i>/</i>${page.repo} #${page.task_id}<i>/</i>
      <b>${features}${page.repeat > 1 ? ` (repeat ${page.repeat})` : ""}</b>
      ${page.live && html`<span class="chip live">at work</span>`}</span>
    ${children}
  </nav>`;
}

function Tools({ mode, setMode, zoomBy }) {
  const choice = (name, text, title) =>
    html`<button class=${mode === name ? "on" : ""} aria-pressed=${mode === name} title=${title} onClick=${() => setMode(name)}>
      ${text}</button>`;
  return html`<div class="tools">
    <div class="legend" aria-hidden="true">${LEGEND.map(([kind, text]) => html`<span><i class="l-${kind}">
      ${kind === "flag" ? "✓" : ""}</i>${text}</span>`)}</div>
    <div class="right">
      <div class="switch" role="group" aria-label="Time">
        ${choice("even", "Even", "short steps get room (t)")}${choice("clock", "Clock", "true to scale (t)")}</div>
      <button class="icon" aria-label="zoom out (-)" title="zoom out (-)" onClick=${() => zoomBy(1 / 1.5)}>−</button>
      <button class="icon" aria-label="zoom in (+)" title="zoom in (+)" onClick=${() => zoomBy(1.5)}>+</button>
    </div>
  </div>`;
}

/** What the picture does not know. */
function Footnote({ picture }) {
  const notes = [];
  if (picture.steps.some((step) => step.estimated))
    notes.push("The record has no beginning of some model calls: the end of what came before stands for it.");
  if (picture.suites.some((suite) => suite.estimated))
    notes.push("The record has no times of the suites: they are drawn as if all began with the evaluation.");
  notes.push("Even time: a gap of d seconds is as wide as d to the power of 0.4; Clock is true to scale.");
  return html`<p class="foot">${notes.join(" ")}</p>`;
}
