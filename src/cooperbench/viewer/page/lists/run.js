// A run: its groups as a table and as a grid.

const RunFacts = ({ run }) => html`<${Facts} facts=${[
  ["setting", run.setting],
  ["agent", visible(run.agents.join(", "))],
  ["model", visible(run.models.join(", "))],
  ["data", visible(run.data)],
  ["merge policy", run.policy],
  ["done", html`${number(run.completed)} <small>of ${number(run.planned)}</small>`],
  ["passed", html`${number(run.passed)} <small>of ${number(run.evaluated)} judged</small>`],
  ...(run.infra_errors ? [["infra errors", number(run.infra_errors)]] : []),
  ["messages", number(run.messages)],
  ["cost", money(run.cost)],
]} />`;

/** The page with what has changed: all of it, or its run and some groups by their position. */
function renewed(page, news) {
  if (news.page) return wholePage(news.page);
  if (!news.run) return page;
  const groups = page.groups.map((group, at) => (news.groups[at] ? whole(news.groups[at]) : group));
  return { ...page, run: news.run, groups };
}

function RunPage({ first, beside }) {
  const [page, setPage] = useState(() => wholePage(first));
  const [chosen, change] = useAddress({ view: "table", sort: "", words: "", outcome: "", repo: "", has: "" });
  const focus = useRef(null);
  const { run, groups } = page;
  const connected = useLive(`/${place(run.name)}`, (news) => setPage((page) => renewed(page, news)));
  const shown = useMemo(() => filtered(groups, chosen), [page, chosen]);
  useKeys({ "/": () => focus.current.focus() });
  return html`<div>
    <${Top} crumbs=${[...(served || !beside.alone ? [["runs", link.runs()]] : []), [run.name]]}>
      ${served && html`<${Search} run=${run.name} />`}</${Top}>
    <main>
      <header class="lead-run"><h1>${visible(run.name)} ${run.state === "running" && html`<span class="chip live">running</span>`}</h1>
        <${Shares} outcomes=${run.outcomes} planned=${run.planned} /></header>
      <${RunFacts} run=${run} />
      <${Lost} connected=${connected} />
      <div class="tools">
        <${Filters} groups=${groups} chosen=${chosen} change=${change} shown=${shown} focus=${focus} />
        <div class="right"><${CompareWith} name=${run.name} pairs=${beside.pairs} />
          <${Switch} values=${["table", "grid"]} chosen=${chosen.view} onChange=${(view) => change({ view })} /></div>
      </div>
      <${Groups} page=${page} shown=${shown} chosen=${chosen} change=${change} />
    </main>
  </div>`;
}

function Groups({ page, shown, chosen, change }) {
  const { run, groups } = page;
  const columns = useMemo(
    () => groupColumns(run.name).filter((column) => !SPARED[column.name] || groups.some(SPARED[column.name])),
    [page],
  );
  const sort = (sort) => change({ sort });
  return html`<section class="card list">
    ${chosen.view === "grid"
      ? html`<${Grid} run=${run.name} page=${page} shown=${new Set(shown)} />`
      : html`<${Table} label="Groups" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${sort} keyOf=${(group) => group.episode} />`}
    ${!shown.length && html`<p class="nothing">${groups.length ? "No group passes the filters." : "This run has no groups."}</p>`}
  </section>`;
}

function Switch({ values, chosen, onChange }) {
  const choice = (value) =>
    html`<button class=${chosen === value ? "on" : ""} aria-pressed=${chosen === value} onClick=${() => onChange(value)}>${value}</button>`;
  return html`<div class="switch" role="group" aria-label="View">${values.map(choice)}</div>`;
}

/** Choose a run to compare with. A server lists all runs that it has; a folder has `pairs`. */
function CompareWith({ name, pairs }) {
  const mine = (pairs || []).filter((pair) => pair.includes(name));
  const [others, setOthers] = useState(() => mine.map(([one, other]) => (one === name ? other : one)));
  useEffect(() => {
    if (served) readPart("runs").then((found) => setOthers(found.names.filter((other) => other !== name)));
  }, []);
  if (!others.length) return null;
  const go = (event) => event.target.value && location.assign(versusLink(name, event.target.value, pairs));
  return html`<label class="choice"><span>compare with</span><select onChange=${go}><option value="">…</option>
    ${others.map((other) => html`<option value=${other}>${visible(other)}</option>`)}</select></label>`;
}

/** Keys that act unless something is being typed. */
function useKeys(actions) {
  useEffect(() => {
    const press = (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
      if (event.key === "Escape" && typing) event.target.blur();
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
      event.preventDefault();
      actions[event.key]();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
}
