// The list of runs.

const runColumns = [
  { name: "run", value: (run) => run.name, cell: (run) => html`<a href=${link.run(run.name)}><b>${visible(run.name)}</b></a>`, kind: "wide" },
  { name: "experiment", value: (run) => run.experiment || null, cell: (run) => visible(run.experiment || "") },
  { name: "state", value: (run) => run.state, cell: (run) => (run.state === "running" ? html`<span class="chip live">running</span>` : run.state) },
  { name: "setting", value: (run) => run.setting, cell: (run) => run.setting },
  { name: "agent", value: (run) => run.agents.join(), cell: (run) => visible(run.agents.join(", ")) },
  { name: "model", value: (run) => run.models.join(), cell: (run) => visible(run.models.join(", ")) },
  { name: "done", value: (run) => run.completed / Math.max(1, run.planned), cell: (run) => `${number(run.completed)}/${number(run.planned)}`, kind: "number", first: "down" },
  { name: "passed", value: (run) => (run.evaluated ? run.passed / run.evaluated : null), cell: (run) => (run.evaluated ? `${number(run.passed)}/${number(run.evaluated)}` : "–"), kind: "number", first: "down" },
  { name: "outcomes", value: (run) => (run.evaluated ? run.passed / run.evaluated : null), cell: (run) => html`<${Shares} outcomes=${run.outcomes} planned=${run.planned} />`, first: "down" },
  { name: "policy", value: (run) => run.policy, cell: (run) => run.policy },
  { name: "cost", value: (run) => run.cost, cell: (run) => money(run.cost), kind: "number", first: "down" },
  { name: "made", value: (run) => run.created_at, cell: (run) => html`<span title=${run.created_at}>${run.created_at.slice(0, 16).replace("T", " ")}</span>`, kind: "number", first: "down" },
];

const wholeRun = (run) => ({ experiment: null, cost: null, ...run });

function RunsPage({ first }) {
  const [runs, setRuns] = useState(() => first.runs.map(wholeRun));
  const [chosen, change] = useAddress({ sort: "-made", words: "", setting: "", agent: "", model: "" });
  const [pair, setPair] = useState([]);
  const focus = useRef(null);
  const connected = useLive("", (news) => news.runs && setRuns(news.runs.map(wholeRun)));
  useKeys({ "/": () => focus.current.focus() });
  const shown = runs.filter((run) => has(JSON.stringify([run.name, run.experiment, run.state, run.setting, run.agents, run.models, run.data]), chosen.words) && among(chosen.setting, [run.setting]) && among(chosen.agent, run.agents) && among(chosen.model, run.models));
  const pick = (name) => setPair(pair.includes(name) ? pair.filter((each) => each !== name) : [...pair, name].slice(-2));
  const compared = pair.length === 2 && versusLink(...pair, first.pairs);
  const box = { name: "compare", value: () => null, cell: (run) => html`<input type="checkbox" aria-label=${`compare ${run.name}`} checked=${pair.includes(run.name)} onChange=${() => pick(run.name)} />` };
  const columns = [...(runs.length > 1 && (!first.pairs || first.pairs.length) ? [box] : []), ...runColumns.filter((column) => column.name !== "experiment" || runs.some((run) => run.experiment))];
  return html`<div>
    <${Top} crumbs=${[["runs"]]}>${served && html`<${Search} />`}</${Top}>
    <main>
      <header class="lead-run"><h1>${plural(runs.length, "run")}</h1></header>
      <${Lost} connected=${connected} />
      <div class="tools"><div class="filters">
        <${Words} value=${chosen.words} focus=${focus} onChange=${(words) => change({ words })} hint="Filter runs" />
        <${Choice} label="setting" found=${counts(runs, (run) => run.setting)} chosen=${chosen.setting} onChange=${(setting) => change({ setting })} />
        <${Choice} label="agent" found=${counts(runs, (run) => run.agents)} chosen=${chosen.agent} onChange=${(agent) => change({ agent })} />
        <${Choice} label="model" found=${counts(runs, (run) => run.models)} chosen=${chosen.model} onChange=${(model) => change({ model })} />
        <span class="count" role="status">${shown.length === runs.length ? "" : `${shown.length} of ${plural(runs.length, "run")}`}</span></div>
        <div class="right">${compared && html`<a class="button" href=${compared}>Compare ${visible(pair[0])} with ${visible(pair[1])} →</a>`}</div></div>
      <section class="card list"><${Table} label="Runs" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${(sort) => change({ sort })} keyOf=${(run) => run.name} />
        ${!shown.length && html`<p class="nothing">${runs.length ? "No run passes the filters." : html`There are no runs here yet. Try <code>cooperbench run -s demo</code>.`}</p>`}</section>
    </main>
  </div>`;
}
