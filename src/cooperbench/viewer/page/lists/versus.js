// Two runs on the same groups, side by side.

/** Groups of both runs by name; a group that only one of them has stands with `null`. */
function paired(left, right) {
  const others = new Map(right.groups.map((group) => [group.episode, group]));
  const pairs = left.groups.map((group) => [group, others.get(group.episode) || null]);
  const known = new Set(left.groups.map((group) => group.episode));
  return [...pairs, ...right.groups.filter((group) => !known.has(group.episode)).map((group) => [null, group])];
}

const either = ([one, other]) => one || other;
/** In which way two groups differ, or not. */
function difference([one, other]) {
  if (!one || !other) return "in one run only";
  if (!one.outcome || !other.outcome) return "not judged in both";
  if (one.outcome === other.outcome) return one.outcome === "passed" ? "both pass" : "same failure";
  return one.outcome === "passed" ? "only the first passes" : other.outcome === "passed" ? "only the second passes" : "fail differently";
}
const DIFFERENCES = ["only the first passes", "only the second passes", "fail differently", "same failure", "both pass", "not judged in both", "in one run only"];

const Side = ({ run, group }) => (group ? html`<a class="outcome" href=${link.episode(run, group)} title=${visible(group.reason)}><${Mark} outcome=${outcomeOf(group)} />${words(outcomeOf(group))}</a>` : html`<span class="muted">not in this run</span>`);
const more = (pick, show) => ({ kind: "number", first: "down", value: ([one, other]) => (one && other && pick(one) != null && pick(other) != null ? pick(other) - pick(one) : null), cell: ([one, other]) => html`${one ? show(pick(one)) : "–"} <span class="muted">→</span> ${other ? show(pick(other)) : "–"}` });

const pairColumns = (left, right) => [
  { name: "group", value: (pair) => either(pair).episode, cell: (pair) => { const group = either(pair), text = `${repoOf(group)} #${group.task.split("/").pop()} ${featuresOf(group)}`; return difference(pair) === "in one run only" || (!served && !hasPage(pair)) ? visible(text) : html`<a href=${link.both(left, right, group)}>${visible(text)}</a>`; } },
  { name: "first", value: ([one]) => one && outcomeOf(one), cell: ([one]) => html`<${Side} run=${left} group=${one} />` },
  { name: "second", value: ([, other]) => other && outcomeOf(other), cell: ([, other]) => html`<${Side} run=${right} group=${other} />` },
  { name: "difference", value: (pair) => DIFFERENCES.indexOf(difference(pair)), cell: (pair) => difference(pair) },
  { name: "why", value: () => null, cell: ([one, other]) => html`<span class="why">${visible((other && other.reason) || (one && one.reason) || "")}</span>`, kind: "wide" },
  { name: "messages", ...more((group) => group.messages, number) },
  { name: "cost", ...more((group) => group.cost, money) },
  { name: "time", ...more((group) => group.seconds, seconds) },
];
/** A folder of two runs has pages of the groups that differ. */
const compared = document.querySelector("meta[name=compared]") !== null;
const hasPage = ([one, other]) => compared && one && other && one.outcome !== other.outcome;

function VersusPage({ first, second }) {
  const [left, right] = useMemo(() => [wholePage(first), wholePage(second)], []);
  const [chosen, change] = useAddress({ sort: "difference", words: "", difference: "" });
  const pairs = useMemo(() => paired(left, right), [left, right]);
  const columns = useMemo(() => pairColumns(left.run.name, right.run.name), [left, right]);
  const shown = pairs.filter((pair) => has(`${either(pair).episode} ${either(pair).reason}`, chosen.words) && among(chosen.difference, [difference(pair)]));
  const found = new Map(DIFFERENCES.map((name) => [name, pairs.filter((pair) => difference(pair) === name).length]).filter(([, count]) => count));
  const both = pairs.filter(([one, other]) => one && other && one.outcome && other.outcome);
  const rate = (at) => html`${both.filter((pair) => pair[at].outcome === "passed").length} <small>of ${plural(both.length, "group")} judged in both</small>`;
  return html`<div>
    <${Top} crumbs=${[["runs", link.runs()], [left.run.name, link.run(left.run.name)], [right.run.name, link.run(right.run.name)]]} />
    <main>
      <header class="lead-run"><h1>${visible(left.run.name)} <span class="muted">and</span> ${visible(right.run.name)}</h1></header>
      <${Facts} facts=${[["first passes", rate(0)], ["second passes", rate(1)], ["policies", left.run.policy === right.run.policy ? left.run.policy : `${left.run.policy} and ${right.run.policy}`], ["models", visible([...new Set([...left.run.models, ...right.run.models])].join(", "))], ["cost", `${money(left.run.cost)} and ${money(right.run.cost)}`]]} />
      <div class="tools"><div class="filters"><${Words} value=${chosen.words} onChange=${(words) => change({ words })} hint="Filter groups" /><${Chips} label="Difference" found=${found} chosen=${chosen.difference} onChange=${(difference) => change({ difference })} /><span class="count" role="status">${number(shown.length)} of ${plural(pairs.length, "group")}</span></div></div>
      <section class="card list"><${Table} label="Groups of both runs" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${(sort) => change({ sort })} keyOf=${(pair) => either(pair).episode} /></section>
    </main>
  </div>`;
}
