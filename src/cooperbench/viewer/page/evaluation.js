// Merge stages, conflicts and hidden tests, in the detail and in sections of their own.

/** Who said what about a file: links to the messages that name it. */
function Mentioned({ picture, path, select }) {
  const name = baseName(path);
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const named = new RegExp(`(?<!\\w)${escaped}(?!\\w)`);
  const said = picture.talk.filter((item) => named.test(item.text));
  if (!said.length) return html`<span class="muted">no message names it</span>`;
  return html`<span class="muted">named in ${said.slice(0, 12).map(
    (item) =>
      html`<a href=${`#${item.id}`} class="dot-link ${(picture.member[item.sender] || {}).hue || ""}"
        title=${visible(item.text.slice(0, 300))} aria-label=${`message ${item.number}`} onClick=${(
        event,
      ) => {
        event.preventDefault();
        select(item.id);
      }}>${item.number}</a>`,
  )}</span>`;
}

/** One conflicting region: the base and both sides, each with its author. */
function RegionView({ picture, region, select, bare }) {
  const sides = region.sides;
  const written = (who) => {
    const file = picture.files.find((each) => each.path === region.path);
    const side = file && file.sides.find((each) => each.agent_id === who);
    return side && side.first_written != null ? `first changed the file at ${moment(side.first_written)}` : "";
  };
  const authors = (ids) => ids.map((id) => html`<${Who} picture=${picture} id=${id} /> `);
  const hue = (ids) => (ids.length === 1 && picture.member[ids[0]] ? picture.member[ids[0]].hue : "");
  const panes = sides
    ? [
        [region.ours, sides.ours],
        [[region.theirs], sides.theirs],
      ]
    : [];
  return html`<div class="region">
    ${!bare && html`<div class="region-head"><code>${visible(region.path)}${region.line ? `:${region.line}` : ""}</code>
      <span class="muted">${region.kind === "content" ? "" : region.kind}</span>
      <${Mentioned} picture=${picture} path=${region.path} select=${select} /></div>`}
    ${!sides && html`<p class="muted">
      ${region.kind === "content" ? "The record does not hold the text of this region." : `Git calls it ${region.kind}.`}</p>`}
    ${
      sides &&
      html`<div class="sides">${panes.map(
        ([ids, text]) =>
          html`<div class="side ${hue(ids)}"><h3>${authors(ids)}<span class="muted">${ids.length === 1 ? written(ids[0]) : ""}
            </span></h3><pre>${visible(text).replace(/\n+$/, "") || "(nothing)"}</pre></div>`,
      )}</div>
    ${sides.base && html`<div class="side base"><h3>base</h3><pre>${visible(sides.base)}</pre></div>`}`
    }
  </div>`;
}

function MergeDetail({ picture, item: stage, select }) {
  const shown = stage.regions.slice(0, 2);
  return html`<div>
    ${stage.steps.map((step) => {
      const own = stage.regions.filter((region) => region.theirs === step.agent_id);
      const paths = [...new Set(own.map((region) => region.path))].map(
        (path) => `${visible(path)} (${plural(own.filter((r) => r.path === path).length, "place")})`,
      );
      return html`<p class="line"><${Mark} tone=${toneOf(step.status)} /><${Who} picture=${picture} id=${step.agent_id} />
        <span>${step.status === "clean" ? "applies" : `does not apply${paths.length ? `: ${paths.join(", ")}` : ""}`}
          </span> <span class="muted">${visible(step.note || "")}</span></p>`;
    })}
    ${stage.same_as && html`<p
      class="muted">The same tree as ${stage.same_as.replace("single:", "alone: ")}: the tests ran once.</p>`}
    ${stage.error && html`<p class="fail-text">${visible(stage.error)}</p>`}
    ${shown.map((region) => html`<${RegionView} ...${{ picture, region, select }} />`)}
    ${
      shown.length < stage.regions.length &&
      html`<a class="more" href="#merge" onClick=${(event) => {
        event.preventDefault();
        document.getElementById("merge").scrollIntoView();
      }}>${stage.regions.length - shown.length} more in Merge ↓</a>`
    }
  </div>`;
}

/** The part of a suite's output that belongs to a failing test, where pytest's headlines tell. */
function outputOf(suite, test) {
  if (test.output) return test.output;
  const name = test.name.split("::").slice(1).join(".");
  const parts = suite.output.split(/^_{3,} (.+?) _{3,}$/m);
  const at = parts.findIndex((part, i) => i % 2 === 1 && part.trim() === name);
  return at < 0 ? null : parts[at + 1].split(/^=+ short test summary/m)[0].trim();
}

function SuiteDetail({ picture, item: suite }) {
  const outputs = useMemo(() => suite.failing.map((test) => outputOf(suite, test)), [suite]);
  const [open, setOpen] = useState(() => outputs.findIndex((text) => text != null));
  const [most, setMost] = useState(60);
  if (!suite.failing.length) {
    const fine = suite.outcome === "passed";
    const why = visible(suite.reason || suite.outcome.replaceAll("_", " "));
    return html`<p class=${fine ? "thought" : "thought fail-text"}>
      ${fine ? `All ${suite.all} hidden tests of feature ${suite.feature} pass.` : why}</p>
      ${suite.output && html`<${Output} text=${suite.output} fold=${8} />`}`;
  }
  return html`<ul class="tests">${suite.failing.slice(0, most).map((test, i) => {
    const [path, ...rest] = test.name.split("::");
    return html`<li class=${open === i ? "open" : ""}>
        <button aria-expanded=${open === i} onClick=${() => setOpen(open === i ? -1 : i)}><${Mark} tone="fail" /><span><small>
          ${rest.length ? visible(path) : ""}
          </small> ${visible(rest.join("::") || path)} ${test.status !== "failed" && html`<span class="chip">${test.status}
          </span>`}</span></button>
        ${open === i && (outputs[i] != null ? html`<${Output} text=${outputs[i]} fold=${24}
          label="output of the test" />` : html`<p
          class="muted">The record has no output of this test alone; the end of the suite's output is below.</p>`)}
      </li>`;
  })}</ul>
    ${suite.failing.length > most && html`<button class="more"
      onClick=${() => setMost(Infinity)}>Show all ${number(suite.failing.length)} failing tests</button>`}
    <p class="muted">${number(suite.passed)} others pass. ${visible(
      suite.output
        .trim()
        .split("\n")
        .pop()
        .replace(/^=+|=+$/g, "")
        .trim()
        .slice(0, 200),
    )}</p>
    <${Fold} title="End of the suite's output"><${Output} text=${suite.output || "(nothing)"} fold=${40} /><//>`;
}

function stageNote(stage) {
  if (stage.same_as) return `same as ${stage.same_as.replace("single:", "")}`;
  if (stage.status !== "conflict") return stage.status.replaceAll("_", " ");
  return `${plural(new Set(stage.regions.map((region) => region.path)).size, "file")} in conflict`;
}

function MergeSection({ picture, select, selected }) {
  const { stages } = picture;
  if (!stages.length) return null;
  const dropped = picture.files.flatMap((file) =>
    file.sides.filter((side) => side.dropped).map((side) => ({ ...side, path: file.path })),
  );
  return html`<section class="card" id="merge" aria-label="Merge">
    <div class="card-head"><h2>Merge</h2><span class="muted">the same patches, put together in ${plural(stages.length, "way")}
      </span></div>
    <div class="stages">${stages.map(
      (
        stage,
      ) => html`<button class="stage ${stage.counts ? "counts" : ""}${selected === stage.id ? " on" : ""}"
        onClick=${() => select(stage.id)}>
        <${Mark} tone=${toneOf(stage.status)} /><b>${stage.alone != null ? `${stage.name} alone` : stage.name}</b>
        <span class="muted">${stageNote(stage)}</span>
      </button>`,
    )}</div>
    ${stages
      .filter((stage) => stage.alone == null)
      .flatMap((stage) =>
        stage.regions.map(
          (
            region,
            i,
          ) => html`<${Fold} key=${`${stage.id}-${i}`} title=${html`<code>
            ${visible(region.path)}${region.line ? `:${region.line}` : ""}</code>`}
      note=${`${stage.name}: ${list(region.ours) || "merged work"} against ${region.theirs}`}
        right=${html`<${Mentioned} ...${{ picture, path: region.path, select }} />`}>
      <${RegionView} ...${{ picture, region, select, bare: true }} /><//>`,
        ),
      )}
    ${dropped.length > 0 && html`<p class="muted">Left out before merging: ${dropped.map((side, i) => html`${i ? ", " : ""}<code>
      ${visible(side.path)}</code> of ${side.agent_id} (${visible(side.dropped)})`)}.</p>`}
  </section>`;
}

function TestsSection({ picture }) {
  const weight = (suite) => (suite.stage && suite.stage.counts ? 1 : 0);
  const rows = [...picture.shownSuites].sort((a, b) => b.failing.length - a.failing.length || weight(b) - weight(a));
  if (!rows.length) return null;
  const first = picture.page.verdict.jump.startsWith("suite");
  return html`<section class="card" id="tests" aria-label="Hidden tests"><div class="card-head"><h2>Hidden tests</h2>
    <span class="muted">failing first</span></div>
    ${rows.map((suite) => {
      const stage = suite.stage || {};
      const name = stage.alone != null ? `${stage.name} alone` : stage.name;
      const right = html`<span class="meter" aria-hidden="true">
        <i style=${{ width: `${(100 * suite.passed) / (suite.all || 1)}%` }}></i></span><span class="num">
        ${suite.passed}/${suite.all}</span><span class="muted wide">${seconds(suite.t1 - suite.t0)}</span>`;
      return html`<${Fold} key=${suite.id} opened=${suite.failing.length > 0 && !first} right=${right}
        note=${`${name}${stage.counts ? " · counts" : ""}`}
        title=${html`<${Mark} tone=${toneOf(suite.outcome)} /><b>feature ${suite.feature}</b>`}>
          <${SuiteDetail} picture=${picture} item=${suite} /><//>`;
    })}
  </section>`;
}
