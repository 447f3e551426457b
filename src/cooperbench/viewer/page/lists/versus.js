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
  if (one.outcome === "passed") return "only the first passes";
  return other.outcome === "passed" ? "only the second passes" : "fail differently";
}
const DIFFERENCES = [
  "only the first passes",
  "only the second passes",
  "fail differently",
  "same failure",
  "both pass",
  "not judged in both",
  "in one run only",
];

/** A server has a page for each group of both runs; a folder at most for those with another outcome. */
const inFolder = document.querySelector("meta[name=compared]") !== null;
const hasPage = ([one, other]) => one && other && (served || (inFolder && one.outcome && other.outcome && one.outcome !== other.outcome));

function BothName({ left, right, pair }) {
  const group = either(pair);
  const text = visible(`${repoOf(group)} #${taskOf(group)} ${featuresOf(group)}`);
  return hasPage(pair) ? html`<a href=${link.both(left, right, group)}>${text}</a>` : text;
}

const Side = ({ run, group }) =>
  group
    ? html`<a class="outcome" href=${link.episode(run, group)} title=${visible(group.reason)}><${Mark} outcome=${outcomeOf(group)} />
        ${words(outcomeOf(group))}</a>`
    : html`<span class="muted">not in this run</span>`;

/** A column with a number of both; sorted by what the second has more. */
const changed = (name, of, show) => ({
  name,
  kind: "number",
  first: "down",
  value: ([one, other]) => (one && other && of(one) != null && of(other) != null ? of(other) - of(one) : null),
  cell: ([one, other]) => html`${one ? show(of(one)) : "–"} <span class="muted">→</span> ${other ? show(of(other)) : "–"}`,
});

const pairColumns = (left, right) => [
  { name: "group", value: (pair) => either(pair).episode, cell: (pair) => html`<${BothName} left=${left} right=${right} pair=${pair} />` },
  { name: "first", value: ([one]) => one && outcomeOf(one), cell: ([one]) => html`<${Side} run=${left} group=${one} />` },
  { name: "second", value: ([, other]) => other && outcomeOf(other), cell: ([, other]) => html`<${Side} run=${right} group=${other} />` },
  { name: "difference", value: (pair) => DIFFERENCES.indexOf(difference(pair)), cell: difference },
  { name: "why", value: () => null, cell: ([one, other]) => html`<${Why} text=${(other || one).reason || (one || other).reason} />`, kind: "wide" },
  changed("messages", (group) => group.messages, number),
  changed("cost", (group) => group.cost, money),
  changed("time", (group) => group.seconds, seconds),
];

function versusFacts(left, right, pairs) {
  const both = pairs.filter(([one, other]) => one && other && one.outcome && other.outcome);
  const rate = (at) =>
    html`${both.filter((pair) => pair[at].outcome === "passed").length} <small>of ${plural(both.length, "group")} judged in both</small>`;
  return [
    ["first passes", rate(0)],
    ["second passes", rate(1)],
    ["policies", [...new Set([left.run.policy, right.run.policy])].join(" and ")],
    ["models", visible([...new Set([...left.run.models, ...right.run.models])].join(", "))],
    ["cost", `${money(left.run.cost)} and ${money(right.run.cost)}`],
  ];
}

function VersusPage({ first, second }) {
  const [left, right] = useMemo(() => [wholePage(first), wholePage(second)], []);
  const [one, other] = [left.run.name, right.run.name];
  const [chosen, change] = useAddress({ sort: "difference", words: "", difference: "" });
  const pairs = useMemo(() => paired(left, right), [left, right]);
  const columns = useMemo(() => pairColumns(one, other), [left, right]);
  const text = (pair) => `${either(pair).episode} ${either(pair).reason}`;
  const shown = pairs.filter((pair) => has(text(pair), chosen.words) && among(chosen.difference, [difference(pair)]));
  const count = (name) => pairs.filter((pair) => difference(pair) === name).length;
  const found = new Map(DIFFERENCES.map((name) => [name, count(name)]).filter(([, count]) => count));
  const sort = (sort) => change({ sort });
  return html`<div>
    <${Top} crumbs=${[["runs", link.runs()], [one, link.run(one)], [other, link.run(other)]]} />
    <main>
      <header class="lead-run"><h1>${visible(one)} <span class="muted">and</span> ${visible(other)}</h1></header>
      <${Facts} facts=${versusFacts(left, right, pairs)} />
      <div class="tools"><div class="filters">
        <${Words} value=${chosen.words} onChange=${(words) => change({ words })} hint="Filter groups" />
        <${Chips} label="Difference" found=${found} chosen=${chosen.difference} onChange=${(difference) => change({ difference })} />
        <span class="count" role="status">${number(shown.length)} of ${plural(pairs.length, "group")}</span></div></div>
      <section class="card list">
        <${Table} label="Groups of both runs" columns=${columns} rows=${shown} sort=${chosen.sort} onSort=${sort}
          keyOf=${(pair) => either(pair).episode} />
      </section>
    </main>
  </div>`;
}
