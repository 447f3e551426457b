// A group in a table: its columns, and the filters over them.

const repoOf = (group) => group.task.split("/")[0].replace(/_task$/, "");
const taskOf = (group) => group.task.split("/").pop();
const featuresOf = (group) =>
  group.features.map((feature) => `f${feature}`).join(" + ") + (group.repeat > 1 ? `, repeat ${group.repeat}` : "");
const chips = (names, tone) => names.map((name) => html`<span class="chip ${tone}">${visible(name)}</span> `);
const shortPaths = (paths) =>
  paths.length
    ? html`<span title=${paths.join("\n")}>${visible(baseName(paths[0]))}${paths.length > 1 ? ` +${paths.length - 1}` : ""}</span>`
    : "";
const Outcome = ({ group }) => {
  const outcome = outcomeOf(group);
  return html`<span class="outcome"><${Mark} outcome=${outcome} />${words(outcome)}</span>`;
};
const Why = ({ text }) => html`<span class="why" title=${visible(text)}>${visible(text)}</span>`;

const groupColumns = (run) => [
  { name: "outcome", value: outcomeOf, cell: (group) => html`<${Outcome} group=${group} />` },
  { name: "repo", value: repoOf, cell: (group) => visible(repoOf(group)) },
  { name: "task", value: (group) => group.task, cell: taskOf, kind: "number" },
  { name: "features", value: featuresOf, cell: (group) => html`<a href=${link.episode(run, group)}>${featuresOf(group)}</a>` },
  { name: "why", value: (group) => group.reason || null, cell: (group) => html`<${Why} text=${group.reason} />`, kind: "wide" },
  { name: "conflict", value: (group) => group.conflicts.join(" ") || null, cell: (group) => shortPaths(group.conflicts), kind: "code" },
  { name: "limit", value: (group) => group.limits.join(" ") || null, cell: (group) => chips(group.limits, "conflict") },
  { name: "error", value: (group) => group.errors.join(" ") || null, cell: (group) => chips(group.errors, "fail") },
  { name: "messages", value: (group) => group.messages, cell: (group) => number(group.messages), kind: "number", first: "down" },
  { name: "steps", value: (group) => group.steps, cell: (group) => number(group.steps), kind: "number", first: "down" },
  { name: "cost", value: (group) => group.cost, cell: (group) => money(group.cost), kind: "number", first: "down" },
  { name: "time", value: (group) => group.seconds, cell: (group) => seconds(group.seconds), kind: "number", first: "down" },
];
/** Columns that are not shown while no group has anything in them. */
const SPARED = {
  why: (group) => group.reason,
  conflict: (group) => group.conflicts.length,
  limit: (group) => group.limits.length,
  error: (group) => group.errors.length,
};

const USUAL = { repeat: 1, outcome: null, reason: "", conflicts: [], limits: [], errors: [] };
const UNKNOWN = { cost: null, seconds: null, steps: 0, messages: 0 };
/** A group with what was left out of the data because it is usual. */
const whole = (group) => ({ ...USUAL, ...UNKNOWN, ...group });
const wholePage = (page) => ({ ...page, groups: page.groups.map(whole) });

const textOf = (group) => [group.episode, group.reason, ...group.conflicts, ...group.limits, ...group.errors].join(" ");
const filtered = (groups, chosen) =>
  groups.filter(
    (group) =>
      has(textOf(group), chosen.words) &&
      among(chosen.outcome, [outcomeOf(group)]) &&
      among(chosen.repo, [repoOf(group)]) &&
      (!chosen.has || chosen.has.split(",").every((name) => group[name].length > 0)),
  );

const OUTCOMES = ["passed", "tests_failed", "merge_conflict", "forced", "patch_rejected", "no_patch", "running"];
const rank = (outcome) => (OUTCOMES.indexOf(outcome) + 99) % 99; // what is not in the list comes last
const byOutcome = (groups) => new Map([...counts(groups, outcomeOf)].sort(([a], [b]) => rank(a) - rank(b)));

function Filters({ groups, chosen, change, shown, focus }) {
  const withAny = (name) => groups.filter((group) => group[name].length).length;
  const marks = new Map(["conflicts", "limits", "errors"].map((name) => [name, withAny(name)]).filter(([, count]) => count));
  const all = plural(groups.length, "group");
  return html`<div class="filters">
    <${Words} value=${chosen.words} focus=${focus} onChange=${(words) => change({ words })} hint="Filter by task, reason, file" />
    <${Chips} label="Outcome" found=${byOutcome(groups)} chosen=${chosen.outcome} onChange=${(outcome) => change({ outcome })} mark />
    <${Chips} label="With" found=${marks} chosen=${chosen.has} onChange=${(has) => change({ has })} />
    <${Choice} label="repo" found=${counts(groups, repoOf)} chosen=${chosen.repo} onChange=${(repo) => change({ repo })} />
    <span class="count" role="status">${shown.length === groups.length ? all : `${number(shown.length)} of ${all}`}</span>
  </div>`;
}
