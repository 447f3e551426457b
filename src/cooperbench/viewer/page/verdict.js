// What stands above the lanes: outcome and reason, the outcome matrix, facts.

const ICON = {
  pass: "M4 8.5l3 3 5.5-7",
  conflict: "M4.5 4.5l7 7m0-7l-7 7",
  fail: "M4.5 4.5l7 7m0-7l-7 7",
  none: "M4.5 8h7",
  open: "M8 5v3l2 2",
};

const Mark = ({ tone }) => html`<svg class="mark ${tone}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
  <circle cx="8" cy="8" r="8" /><path d=${ICON[tone]} />
</svg>`;

const Who = ({ picture, id }) =>
  html`<span class="name ${(picture.member[id] || {}).hue || ""}"><i class="who"></i>${id}</span>`;

const toneOf = (outcome) =>
  outcome === "passed" || outcome === "clean"
    ? "pass"
    : /conflict/.test(outcome)
      ? "conflict"
      : outcome === "not_run"
        ? "none"
        : "fail";

/** A link to a thing of the page. */
function Jump({ id, select, children, title }) {
  const go = (event) => {
    event.preventDefault();
    select(id);
  };
  return html`<a href=${`#${id}`} title=${title} onClick=${go}>${children}</a>`;
}

function Verdict({ picture, select }) {
  const { verdict } = picture.page;
  const last = picture.talk.find((item) => item.number === verdict.last_word);
  return html`<header class="verdict ${verdict.tone}">
    <h1><${Mark} tone=${verdict.tone} />${verdict.title}</h1>
    <p class="reason">${visible(verdict.reason)}</p>
    <p class="notes">
      ${verdict.notes.map((note) => html`<span>${visible(note)}</span>`)}
      ${verdict.jump && html`<${Jump} id=${verdict.jump} select=${select}>${verdict.jump_text} →<//>`}
    </p>
    ${
      last &&
      html`<p class="notes">
      <span>Last word, by ${last.sender}: <${Jump} id=${last.id} select=${select}>“${visible(lastSentence(last.text))}”<//></span>
    </p>`
    }
    ${picture.page.unclear.length > 0 && html`<p class="notes unclear">Not readable: ${picture.page.unclear.join("; ")}.</p>`}
  </header>`;
}

function lastSentence(text) {
  const sentences = text.slice(-600).match(/[^.!?\n]+[.!?]*/g) || [text];
  return (
    sentences
      .map((each) => each.trim())
      .filter(Boolean)
      .at(-1) || ""
  ).slice(0, 120);
}

/** What would have happened: each way of merging against the merge and the suites. */
function Matrix({ picture, select, selected }) {
  const { stages, page } = picture;
  if (!stages.length) return null;
  const alone = stages.filter((stage) => stage.alone != null);
  const suitesOf = (stage) => picture.suites.filter((suite) => suite.stage === stage);
  const together = stages.filter((stage) => stage.alone == null);
  const rows = together.map((stage) => ({ stage, name: stage.name, suites: suitesOf(stage), counts: stage.counts }));
  if (alone.length)
    rows.unshift({ name: "each alone", suites: alone.flatMap(suitesOf), counts: alone.some((stage) => stage.counts) });
  const on = (id) => (selected === id ? "cell on" : "cell");
  return html`<div class="scroller"><table class="matrix">
    <caption class="sr">Outcome by way of merging</caption>
    <thead><tr>
      <th scope="col"><span class="sr">way of merging</span></th><th scope="col">merge</th>
      ${page.features.map((feature) => html`<th scope="col">feature ${feature}</th>`)}
    </tr></thead>
    <tbody>${rows.map(
      ({ stage, name, suites, counts }) => html`<tr class=${counts ? "counts" : ""}>
        <th scope="row">${name}${counts && html`<em>counts</em>`}</th>
        <td>${
          stage
            ? html`<button class=${on(stage.id)} onClick=${() => select(stage.id)}><${Mark} tone=${toneOf(stage.status)} />
              ${stageWord(stage)}</button>`
            : html`<span class="none">–</span>`
        }</td>
        ${page.features.map((feature) => {
          const suite = suites.find((item) => item.feature === feature);
          if (!suite) return html`<td><span class="none">not run</span></td>`;
          const label = `feature ${feature}, ${name}: ${suite.outcome.replaceAll("_", " ")}, ${suite.passed} of ${suite.all} pass`;
          return html`<td><button class=${on(suite.id)} aria-label=${label} onClick=${() => select(suite.id)}>
            <${Mark} tone=${toneOf(suite.outcome)} />${suite.passed}<small>/${suite.all}</small>
          </button></td>`;
        })}
      </tr>`,
    )}</tbody>
  </table></div>`;
}

const stageWord = (stage) =>
  stage.status === "conflict" ? plural(stage.regions.length, "conflict") : stage.status.replaceAll("_", " ");

function Facts({ picture }) {
  const facts = factsOf(picture);
  return html`<dl class="facts">${facts.map(([name, value, small]) => html`<div><dt>${name}</dt><dd>
    ${value} ${small && html`<small>${small}</small>`}</dd></div>`)}</dl>`;
}

/** Rows of [name, value, what stands small behind it]. */
function factsOf({ page, members, steps, talk }) {
  const sum = (key) =>
    members.every((item) => item[key] == null) ? null : members.reduce((total, item) => total + (item[key] || 0), 0);
  const waits = (kind) =>
    steps
      .flatMap((step) => step.waits)
      .filter((wait) => wait.kind === kind)
      .reduce((total, { span }) => total + span[1] - span[0], 0);
  const agents = [...new Set(members.map((item) => item.agent.replaceAll("_", "-")).filter(Boolean))];
  const models = [...new Set(members.map((item) => item.model).filter(Boolean))];
  const facts = [
    ["task", page.repo.replace(/_task$/, ""), `#${page.task_id}`],
    ["features", page.features.join(" + ")],
    ["agents", `${members.length} × ${list(agents) || "?"}`],
    ["model", list(models) || "–"],
    ["judged by", page.policy],
    [
      "time",
      seconds(page.work_end),
      page.evaluation_seconds != null ? `+ ${seconds(page.evaluation_seconds)} tests` : "",
    ],
    ["waiting", waits("message") > 0.05 ? seconds(waits("message")) : "none"],
    ["cost", money(page.total_cost ?? sum("cost"))],
    ["tokens", `${tokens(sum("input_tokens"))} in`, `${tokens(sum("output_tokens"))} out`],
    ["steps", number(steps.length)],
    ["messages", number(talk.length)],
  ];
  const provider = waits("model");
  if (provider > 0.05) facts.splice(7, 0, ["provider waits", seconds(provider)]);
  if (page.repeat > 1) facts.splice(2, 0, ["repeat", page.repeat]);
  return facts;
}
