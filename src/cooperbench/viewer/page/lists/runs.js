// The list of runs.

const State = ({ run }) => (run.state === "running" ? html`<span class="chip live">running</span>` : run.state);
const passRate = (run) => (run.evaluated ? run.passed / run.evaluated : null);
const made = (run) => html`<span title=${run.created_at}>${run.created_at.slice(0, 16).replace("T", " ")}</span>`;

const RUN_COLUMNS = [
  { name: "run", value: (run) => run.name, cell: (run) => html`<a href=${link.run(run.name)}><b>${visible(run.name)}</b></a>`, kind: "wide" },
  { name: "experiment", value: (run) => run.experiment || null, cell: (run) => visible(run.experiment || "") },
  { name: "state", value: (run) => run.state, cell: (run) => html`<${State} run=${run} />` },
  { name: "setting", value: (run) => run.setting, cell: (run) => run.setting },
  { name: "agent", value: (run) => run.agents.join(), cell: (run) => visible(run.agents.join(", ")) },
  { name: "model", value: (run) => run.models.join(), cell: (run) => visible(run.models.join(", ")) },
  {
    name: "done",
    value: (run) => run.completed / Math.max(1, run.planned),
    cell: (run) => `${number(run.completed)}/${number(run.planned)}`,
    kind: "number",
    first: "down",
  },
  {
    name: "passed",
    value: passRate,
    cell: (run) => (run.evaluated ? `${number(run.passed)}/${number(run.evaluated)}` : "–"),
    kind: "number",
    first: "down",
  },
  { name: "outcomes", value: passRate, cell: (run) => html`<${Shares} outcomes=${run.outcomes} planned=${run.planned} />`, first: "down" },
  { name: "policy", value: (run) => run.policy, cell: (run) => run.policy },
  { name: "cost", value: (run) => run.cost, cell: (run) => money(run.cost), kind: "number", first: "down" },
  { name: "made", value: (run) => run.created_at, cell: made, kind: "number", first: "down" },
];

const wholeRun = (run) => ({ experiment: null, cost: null, ...run });
const runText = (run) => [run.name, run.experiment, run.state, run.setting, run.data, ...run.agents, ...run.models].join(" ");
const filteredRuns = (runs, chosen) =>
  runs.filter(
    (run) =>
      has(runText(run), chosen.words) &&
      among(chosen.setting, [run.setting]) &&
      among(chosen.agent, run.agents) &&
      among(chosen.model, run.models),
  );

function RunsPage({ first }) {
  const [runs, setRuns] = useState(() => first.runs.map(wholeRun));
  const [chosen, change] = useAddress({ sort: "-made", words: "", setting: "", agent: "", model: "" });
  const [pair, setPair] = useState([]);
  const connected = useLive("", (news) => news.runs && setRuns(news.runs.map(wholeRun)));
  const shown = filteredRuns(runs, chosen);
  const compared = pair.length === 2 && versusLink(...pair, first.pairs);
  const comparable = runs.length > 1 && (!first.pairs || first.pairs.length > 0);
  const box = {
    name: "compare",
    value: () => null,
    cell: (run) => html`<${Box} run=${run} pair=${pair} setPair=${setPair} />`,
  };
  const known = RUN_COLUMNS.filter((column) => column.name !== "experiment" || runs.some((run) => run.experiment));
  const columns = [...(comparable ? [box] : []), ...known];
  const sort = (sort) => change({ sort });
  return html`<div>
    <${Top} crumbs=${[["runs"]]}>${served && html`<${Search} />`}</${Top}>
    <main>
      <header class="lead-run"><h1>${plural(runs.length, "run")}</h1></header>
      <${Lost} connected=${connected} />
      <div class="tools"><${RunFilters} runs=${runs} chosen=${chosen} change=${change} shown=${shown} />
        <div class="right">
          ${compared && html`<a class="button" href=${compared}>Compare ${visible(pair[0])} with ${visible(pair[1])} →</a>`}</div></div>
      <section class="card list">
        <${Table} label="Runs" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${sort} keyOf=${(run) => run.name} />
        ${!shown.length && html`<p class="nothing">
          ${runs.length ? "No run passes the filters." : html`There are no runs here yet. Try <code>cooperbench run -s demo</code>.`}</p>`}
      </section>
    </main>
  </div>`;
}

/** Choose a run for a comparison; the third one takes the place of the first. */
function Box({ run, pair, setPair }) {
  const on = pair.includes(run.name);
  const pick = () => setPair(on ? pair.filter((each) => each !== run.name) : [...pair, run.name].slice(-2));
  return html`<input type="checkbox" aria-label=${`compare ${run.name}`} checked=${on} onChange=${pick} />`;
}

function RunFilters({ runs, chosen, change, shown }) {
  const focus = useRef(null);
  useKeys({ "/": () => focus.current.focus() });
  const choice = (name, of) =>
    html`<${Choice} label=${name} found=${counts(runs, of)} chosen=${chosen[name]} onChange=${(value) => change({ [name]: value })} />`;
  return html`<div class="filters">
    <${Words} value=${chosen.words} focus=${focus} onChange=${(words) => change({ words })} hint="Filter runs" />
    ${choice("setting", (run) => run.setting)}${choice("agent", (run) => run.agents)}${choice("model", (run) => run.models)}
    <span class="count" role="status">${shown.length === runs.length ? "" : `${shown.length} of ${plural(runs.length, "run")}`}</span>
  </div>`;
}
