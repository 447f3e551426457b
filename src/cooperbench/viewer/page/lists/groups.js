// A run: its groups as a table and as a grid.

const repoOf = (group) => group.task.split("/")[0].replace(/_task$/, "");
const featuresOf = (group) => group.features.map((feature) => `f${feature}`).join(" + ") + (group.repeat > 1 ? `, repeat ${group.repeat}` : "");
const chips = (names, tone) => names.map((name) => html`<span class="chip ${tone}">${visible(name)}</span> `);
const shortPaths = (paths) => (paths.length ? html`<span title=${paths.join("\n")}>${visible(baseName(paths[0]))}${paths.length > 1 ? ` +${paths.length - 1}` : ""}</span>` : "");

const groupColumns = (run) => [
  { name: "outcome", value: (group) => outcomeOf(group), cell: (group) => html`<span class="outcome"><${Mark} outcome=${outcomeOf(group)} />${words(outcomeOf(group))}</span>` },
  { name: "repo", value: repoOf, cell: (group) => visible(repoOf(group)) },
  { name: "task", value: (group) => group.task, cell: (group) => group.task.split("/").pop(), kind: "number" },
  { name: "features", value: featuresOf, cell: (group) => html`<a href=${link.episode(run, group)}>${featuresOf(group)}</a>` },
  { name: "why", value: (group) => group.reason || null, cell: (group) => html`<span class="why" title=${visible(group.reason)}>${visible(group.reason)}</span>`, kind: "wide" },
  { name: "conflict", value: (group) => group.conflicts.join(" ") || null, cell: (group) => shortPaths(group.conflicts), kind: "code" },
  { name: "limit", value: (group) => group.limits.join(" ") || null, cell: (group) => chips(group.limits, "conflict") },
  { name: "error", value: (group) => group.errors.join(" ") || null, cell: (group) => chips(group.errors, "fail") },
  { name: "messages", value: (group) => group.messages, cell: (group) => number(group.messages), kind: "number", first: "down" },
  { name: "steps", value: (group) => group.steps, cell: (group) => number(group.steps), kind: "number", first: "down" },
  { name: "cost", value: (group) => group.cost, cell: (group) => money(group.cost), kind: "number", first: "down" },
  { name: "time", value: (group) => group.seconds, cell: (group) => seconds(group.seconds), kind: "number", first: "down" },
];
/** Columns that are not shown while no group has anything in them. */
const SPARED = { why: (group) => group.reason, conflict: (group) => group.conflicts.length, limit: (group) => group.limits.length, error: (group) => group.errors.length };

/** What was left out of the data because it is usual. */
const whole = (group) => ({ repeat: 1, outcome: null, feature_outcomes: [], reason: "", conflicts: [], limits: [], errors: [], cost: null, seconds: null, steps: 0, messages: 0, ...group });
const wholePage = (page) => ({ ...page, groups: page.groups.map(whole) });

const filtered = (groups, chosen) =>
  groups.filter((group) => has([group.episode, group.reason, ...group.conflicts, ...group.limits, ...group.errors].join(" "), chosen.words) && among(chosen.outcome, [outcomeOf(group)]) && among(chosen.repo, [repoOf(group)]) && among(chosen.task, [group.task]) && (!chosen.has || chosen.has.split(",").every((name) => group[name].length > 0)));

const OUTCOMES = ["passed", "tests_failed", "merge_conflict", "forced", "patch_rejected", "no_patch", "running"];
const byOutcome = (groups) => new Map([...counts(groups, outcomeOf)].sort(([a], [b]) => (OUTCOMES.indexOf(a) + 99) % 99 - (OUTCOMES.indexOf(b) + 99) % 99));

function Filters({ groups, chosen, change, shown, focus }) {
  const marks = new Map(["conflicts", "limits", "errors"].map((name) => [name, groups.filter((group) => group[name].length).length]).filter(([, count]) => count));
  return html`<div class="filters">
    <${Words} value=${chosen.words} focus=${focus} onChange=${(words) => change({ words })} hint="Filter by task, reason, file" />
    <${Chips} label="Outcome" found=${byOutcome(groups)} chosen=${chosen.outcome} onChange=${(outcome) => change({ outcome })} mark />
    <${Chips} label="With" found=${marks} chosen=${chosen.has} onChange=${(has) => change({ has })} />
    <${Choice} label="repo" found=${counts(groups, repoOf)} chosen=${chosen.repo} onChange=${(repo) => change({ repo, task: "" })} />
    <span class="count" role="status">${shown.length === groups.length ? plural(groups.length, "group") : `${number(shown.length)} of ${plural(groups.length, "group")}`}</span>
  </div>`;
}

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

function RunPage({ first, beside }) {
  const [page, setPage] = useState(() => wholePage(first));
  const [chosen, change] = useAddress({ view: "table", sort: "", words: "", outcome: "", repo: "", task: "", has: "" });
  const focus = useRef(null);
  const name = page.run.name;
  const connected = useLive(`/${place(name)}`, (news) => {
    if (news.page) setPage(wholePage(news.page));
    else if (news.run) setPage((page) => ({ ...page, run: news.run, groups: page.groups.map((group, at) => (news.groups[at] ? whole(news.groups[at]) : group)) }));
  });
  const columns = useMemo(() => groupColumns(name).filter((column) => !SPARED[column.name] || page.groups.some(SPARED[column.name])), [name, page]);
  const shown = useMemo(() => filtered(page.groups, chosen), [page, chosen]);
  useKeys({ "/": () => focus.current.focus() });
  return html`<div>
    <${Top} crumbs=${[...(served || !beside.alone ? [["runs", link.runs()]] : []), [name]]}>${served && html`<${Search} run=${name} />`}</${Top}>
    <main>
      <header class="lead-run"><h1>${visible(name)} ${page.run.state === "running" && html`<span class="chip live">running</span>`}</h1><${Shares} outcomes=${page.run.outcomes} planned=${page.run.planned} /></header>
      <${RunFacts} run=${page.run} />
      <${Lost} connected=${connected} />
      <div class="tools"><${Filters} groups=${page.groups} chosen=${chosen} change=${change} shown=${shown} focus=${focus} />
        <div class="right"><${Versus} name=${name} pairs=${beside.pairs} /><${Switch} values=${["table", "grid"]} chosen=${chosen.view} onChange=${(view) => change({ view })} /></div></div>
      <section class="card list">${chosen.view === "grid" ? html`<${Grid} run=${name} page=${page} shown=${new Set(shown)} />` : html`<${Table} label="Groups" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${(sort) => change({ sort })} keyOf=${(group) => group.episode} />`}
        ${!shown.length && html`<p class="nothing">${page.groups.length ? "No group passes the filters." : "This run has no groups."}</p>`}</section>
    </main>
  </div>`;
}

const Switch = ({ values, chosen, onChange }) => html`<div class="switch" role="group" aria-label="View">${values.map((value) => html`<button class=${chosen === value ? "on" : ""} aria-pressed=${chosen === value} onClick=${() => onChange(value)}>${value}</button>`)}</div>`;

/** Choose a run to compare with. A server lists all runs that it has. */
function Versus({ name, pairs }) {
  const [others, setOthers] = useState(() => (pairs || []).filter((pair) => pair.includes(name)).map(([one, other]) => (one === name ? other : one)));
  useEffect(() => {
    if (served) readPart("runs").then((found) => setOthers(found.names.filter((other) => other !== name)));
  }, []);
  if (!others.length) return null;
  const go = (event) => event.target.value && location.assign(versusLink(name, event.target.value, pairs));
  return html`<label class="choice"><span>compare with</span><select onChange=${go}><option value="">…</option>${others.map((other) => html`<option value=${other}>${visible(other)}</option>`)}</select></label>`;
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
