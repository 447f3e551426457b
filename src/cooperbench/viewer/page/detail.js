// What was chosen, in full.

function Detail({ picture, selected, select, go }) {
  const item = picture.byId.get(selected);
  if (!item) {
    return html`<section class="card detail" aria-label=${`Detail${picture.of}`}>
      <p class="muted">Choose a step: click a bar, or press <kbd>j</kbd>.</p></section>`;
  }
  const member = picture.member[item.agent || item.sender];
  return html`<section class="card detail" aria-label=${`Detail${picture.of}`} aria-live="polite">
    <div class="card-head">
      ${member && html`<${Who} picture=${picture} id=${member.id} />`}
      <h2>${visible(detailTitle(item))}</h2>
      <span class="muted">${detailPlace(item, member)}</span>
      <span class="right">
        <span class="muted">at ${moment(item.t0)}</span>
        <button class="icon" aria-label="before (k)" title="before (k)" onClick=${() => go(-1)}>↑</button>
        <button class="icon" aria-label="next (j)" title="next (j)" onClick=${() => go(1)}>↓</button>
      </span>
    </div>
    <${DetailBody} key=${item.id} picture=${picture} item=${item} select=${select} />
  </section>`;
}

function DetailBody({ picture, item, select }) {
  const bodies = {
    step: StepDetail,
    suite: SuiteDetail,
    merge: MergeDetail,
    git: GitDetail,
    mark: MarkDetail,
    board: MarkDetail,
  };
  const Body = bodies[item.type] || MessageDetail;
  const [details, problem] = useDetails(picture, item);
  const raw = details ? details.raw : item;
  return html`<div>
    <${Body} ...${{ picture, item, select, details, problem }} />
    <${Labels} picture=${picture} item=${item} />
    <${Raw} value=${raw} id=${item.id} markdown=${() => asMarkdown(picture, item)} />
  </div>`;
}

const ACTIONS = {
  read: "Reads",
  edit: "Edits",
  run: "Runs",
  git: "Git",
  wait: "Waits",
  submit: "Submits",
  message: "Sends a message",
  answer: "Answers",
};

function detailTitle(item) {
  if (item.type === "step") {
    if (["run", "git"].includes(item.action)) return `${ACTIONS[item.action]}: ${item.label}`;
    return item.action === "message" ? ACTIONS.message : item.label[0].toUpperCase() + item.label.slice(1);
  }
  if (item.type === "message") return `Message ${item.number}`;
  if (item.type === "git") return item.push ? "Push" : "Fetch";
  if (item.type === "merge") return `Merge: ${item.alone != null ? `${item.name} alone` : item.name}`;
  if (item.type === "suite") return `Tests of feature ${item.feature}`;
  if (item.type === "mark")
    return { limit: "Reached a limit", error: "Ended by an error", asked: "Was asked to end" }[item.kind] || "Ended";
  return item.type === "board" ? "Task board" : "Notice of the harness";
}

function detailPlace(item, member) {
  if (item.type === "step") return `step ${item.number} of ${member.steps.length}`;
  if (item.type === "suite") {
    const stage = item.stage || {};
    const place = stage.alone != null ? `${stage.name} alone` : stage.name;
    return `${place}, ${stage.counts ? "counts" : "what if"} · ${seconds(item.t1 - item.t0)}`;
  }
  return item.type === "merge" ? item.status.replaceAll("_", " ") : "";
}

/** Read the texts of a step when it is shown; other things have all of theirs. */
function useDetails(picture, item) {
  const [, redraw] = useState(0);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (item.type !== "step" || detailsOf(picture, item)) return;
    loadChunk(picture, chunkOf(item)).then(
      () => redraw((n) => n + 1),
      (error) => setProblem(error.message),
    );
  }, [picture, item]);
  return [item.type === "step" ? detailsOf(picture, item) : null, problem];
}

function StepDetail({ picture, item: step, select, details, problem }) {
  const took = step.act[1] - step.act[0];
  const facts = [
    [
      "model",
      seconds(step.model[1] - step.model[0]),
      step.estimated
        ? "estimated"
        : step.first_token != null
          ? `first word after ${seconds(step.first_token - step.model[0])}`
          : "",
    ],
    [step.action === "wait" ? "waited" : "action", seconds(took)],
    ["cost", money(step.cost)],
    ["tokens", `${number(step.input_tokens)} in`, `${number(step.output_tokens)} out`],
  ];
  return html`<div>
    ${details && details.thought && html`<p class="thought"><${Prose} text=${details.thought} /></p>`}
    <dl class="mini">${facts.map(([name, value, small]) => html`<div><dt>${name}</dt><dd>${value} ${small && html`<small>${small}
      </small>`}</dd></div>`)}</dl>
    ${step.repeat > 1 && html`<p class="muted">The member does exactly this for the ${ordinal(step.repeat)} time.</p>`}
    ${step.timed_out && html`<p class="fail-text">A command reached its time limit.</p>`}
    ${step.waits.map((wait) => html`<p
      class="muted">Waited ${seconds(wait.span[1] - wait.span[0])} ${waitText(wait)}.</p>`)}
    ${problem && html`<p class="fail-text">${visible(problem)}</p>`}
    ${!details && !problem && html`<p class="muted">Reading the texts of this step …</p>`}
    ${details && html`<${StepTexts} ...${{ picture, step, details }} />`}
    ${step.changed.length > 0 && html`<h3>Changed since the step before</h3><p class="changed">
      ${step.changed.map((path) => html`<${FileLink} ...${{ picture, path }} />`)}</p>`}
    <${Happened} picture=${picture} step=${step} select=${select} />
  </div>`;
}

const waitText = (wait) => (wait.kind === "model" ? `for the provider: ${visible(wait.what)}` : wait.what);

const ordinal = (n) =>
  `${n}${n % 10 === 1 && n % 100 !== 11 ? "st" : n % 10 === 2 && n % 100 !== 12 ? "nd" : n % 10 === 3 && n % 100 !== 13 ? "rd" : "th"}`;

/** Calls and answers of a step. */
function StepTexts({ picture, step, details }) {
  const hue = picture.member[step.agent].hue;
  return html`${details.reasoning && html`<${Fold} title="Reasoning" note=${`${number(details.reasoning.length)} characters`}>
    <p class="thought"><${Prose} text=${details.reasoning} /></p><//>`}
    ${details.calls.map((call, i) => {
      const answer = details.answers[i];
      const spoken = call.to && call.tool !== "bash";
      return html`${
        spoken
          ? html`<h3>To ${visible(call.to)}</h3><blockquote class="quote ${hue}"><${Prose} text=${call.text} /></blockquote>`
          : call.text &&
            html`<h3>${call.tool === "bash" ? "Command" : visible(call.tool)}</h3>
              <${Output} text=${call.text} tone="command" fold=${12} label="command" />`
      }
        ${answer && html`<${Answer} answer=${answer} prose=${call.tool !== "bash"} />`}`;
    })}
    ${details.answers.slice(details.calls.length).map((answer) => html`<${Answer} answer=${answer} />`)}
    ${details.notes.map((note) => html`<h3>Given after it</h3><blockquote class="quote"><${Prose} text=${note} /></blockquote>`)}
    ${step.number === 1 && html`<${Prompt} picture=${picture} agent=${step.agent} />`}`;
}

function Answer({ answer, prose }) {
  return html`<h3>
      ${prose ? "Answer" : "Output"}
      ${answer.exit_code != null && html`<span class="chip ${answer.exit_code ? "fail" : ""}">exit ${answer.exit_code}</span>`}
      ${answer.truncated && html`<span class="chip conflict">cut in the record</span>`}
    </h3>
    <${Output} text=${answer.text || "(no output)"} tone=${prose ? "prose" : ""} />`;
}

/** What the member was given before its first step. */
function Prompt({ picture, agent }) {
  const chunk = picture.chunks.get(`${agent}.0`);
  return ((chunk && chunk.prompt) || []).map(
    (text, i) =>
      html`<${Fold} title=${i ? "Prompt" : "System prompt"} note=${`${number(text.length)} characters`}>
        <${Output} text=${text} tone="prose" fold=${60} label="prompt" /><//>`,
  );
}

/** Messages and pushes of a step. */
function Happened({ picture, step, select }) {
  const items = [...picture.talk, ...picture.gits].filter((item) => item.step === step.id);
  return items.map(
    (item) =>
      html`<p class="line"><${Jump} id=${item.id} select=${select}>
        ${item.type === "git" ? `${item.push ? "Push: " : ""}${gitText(item)}` : `Message ${item.number} to ${visible(item.to)}`}
        → <//></p>`,
  );
}

/** A file's name; a click opens its changes below. */
function FileLink({ picture, path }) {
  const known = picture.files.some((file) => file.path === path);
  const text = html`<code>${visible(path)}</code>`;
  const go = (event) => {
    event.preventDefault();
    document.getElementById(`file-${path}`)?.scrollIntoView({ block: "center" });
  };
  return known
    ? html`<a class="chip" href="#files" onClick=${go}>${text}</a>`
    : html`<span class="chip">${text}</span>`;
}

function GitDetail({ item, select }) {
  return html`<div>
    ${item.refs.map(
      (
        ref,
      ) => html`<p class="thought"><code>${ref.commit}</code> ${visible(ref.subject || ref.branch)} <span class="muted">
        ${visible(ref.branch)}</span></p>
        ${ref.refused && html`<p class="fail-text">Refused: ${visible(ref.refused)}</p>`}
        ${ref.changed && html`<p class="muted">Changes ${ref.changed.map((path) => html`<code>${visible(path)}</code> `)}</p>`}
        ${(ref.conflicts || []).map((conflict) => html`<p class="meet">Would conflict with ${visible(conflict)}</p>`)}`,
    )}
    ${item.step && html`<${Jump} id=${item.step} select=${select}>the step that did it →<//>`}
  </div>`;
}

function MessageDetail({ picture, item, select }) {
  const member = picture.member[item.sender];
  const read = item.refused
    ? `refused: ${visible(item.refused)}`
    : item.read == null
      ? "never"
      : `after ${seconds(item.read - item.sent)}`;
  return html`<div>
    <blockquote class="quote ${member ? member.hue : ""}"><${Prose} text=${item.text} /></blockquote>
    <dl class="mini"><div><dt>to</dt><dd>${visible(item.to)}</dd></div><div><dt>sent</dt><dd>${moment(item.sent)}</dd></div><div>
      <dt>read</dt><dd class=${item.read == null ? "fail-text" : ""}>${read}</dd></div></dl>
    ${item.crossed.length > 0 && html`<p
      class="muted">Crossed with ${item.crossed.map((n) => html`<${Jump} id=${`message.${n}`} select=${select}>message ${n}
      <//> `)}: neither had read the other's.</p>`}
    ${item.reply_to && html`<p class="muted">An answer to <${Jump} id=${item.reply_to} select=${select}>
      ${item.reply_to.replace(".", " ")}<//>.</p>`}
    ${item.step && html`<${Jump} id=${item.step} select=${select}>the step that sent it →<//>`}
  </div>`;
}

const MarkDetail = ({ item }) => html`<p class="thought">${visible(item.text)}</p>`;

/** What readers and judge models said about a thing. */
function Labels({ picture, item }) {
  const own = picture.page.labels.filter((label) => labelled(picture, label) === item.id);
  return own.length > 0 && html`<h3>Labels</h3><${LabelList} labels=${own} />`;
}

const LabelList = ({ labels, place = () => null }) =>
  html`<ul class="labels">${labels.map(
    (label) => html`<li><span class="chip">${label.label.replaceAll("_", " ")}</span>
      <span class="muted"> ${visible(label.labeller)} </span>${place(label)} ${visible(label.comment || label.quote || "")}</li>`,
  )}</ul>`;

/** The id of what a label is about; null for the whole episode. A label on any message of a step is about the step. */
function labelled(picture, label) {
  if (label.message != null) return (picture.talk.find((item) => item.sequence === label.message) || {}).id || null;
  const member = picture.member[label.agent_id];
  if (!member || label.step == null) return null;
  return (member.steps.findLast((step) => step.position != null && step.position <= label.step) || {}).id || null;
}

/** All labels of the episode, with links to what they are about. */
function LabelsSection({ picture, select }) {
  const { labels } = picture.page;
  const place = (label) => {
    const id = labelled(picture, label);
    return id ? html`<${Jump} id=${id} select=${select}>${id.replace(".", " ")}<//>` : label.agent_id || "";
  };
  return labels.length > 0 && html`<section class="card" id="labels" aria-label="Labels and notes">
    <div class="card-head"><h2>Labels and notes</h2><span class="muted">beside the record, in labels.jsonl</span></div>
    <${LabelList} labels=${labels} place=${place} /></section>`;
}
