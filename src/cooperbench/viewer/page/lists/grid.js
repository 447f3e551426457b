// Tasks by features: one square for each group, several stripes in it for repeats.

const SIGNS = { pass: "✓", conflict: "!", fail: "✕", open: "–", running: "…" };

function Square({ groups, address, shown }) {
  return html`<td class="square">${groups.map((group) => {
    const outcome = outcomeOf(group), name = `${group.episode}: ${words(outcome)}`;
    const title = group.reason ? `${name}\n${visible(group.reason)}` : name;
    return html`<a class="${toneOf(outcome)} ${shown.has(group) ? "" : "dim"}" href=${address(group)} aria-label=${name} title=${title}>
      ${groups.length === 1 && outcome !== "new" ? SIGNS[toneOf(outcome)] : ""}</a>`;
  })}</td>`;
}

/** `shown` are the groups that the filters let through; the others are pale. */
function Grid({ run, page, shown, address = (group) => link.episode(run, group) }) {
  const { columns, lines } = page.grid;
  const repos = new Set(lines.map((line) => line.task.split("/")[0]));
  const short = (task) => (repos.size === 1 ? task : task.replace("_task/", " #"));
  return html`<div class="table-wrap grid-wrap" tabindex="0" role="region" aria-label="Grid of tasks and features">
    <table class="matrix"><thead><tr><th scope="col">task</th>
      ${columns.map((features) => html`<th scope="col">${features.map((feature) => html`<span>${feature}</span>`)}</th>`)}
      <th scope="col" class="sum">passed</th></tr></thead>
    <tbody>${lines.map((line) => {
      const all = line.cells.flat().map((at) => page.groups[at]);
      const judged = all.filter((group) => group.outcome), passed = judged.filter((group) => group.outcome === "passed");
      const square = (cell) =>
        html`<${Square} groups=${cell.map((at) => page.groups[at])} address=${address} shown=${shown} />`;
      return html`<tr key=${line.task}><th scope="row" title=${line.task}>${visible(short(line.task))}</th>
        ${line.cells.map(square)}
        <td class="sum number">${judged.length ? `${passed.length}/${judged.length}` : ""}</td></tr>`;
    })}</tbody></table>
  </div>`;
}
