// A table that a click on a head sorts. A column has a name, a value to sort by, and a cell.

const compare = (a, b) => {
  if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1; // what is unknown comes last
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
};

/** Sort rows by a column; rows that are equal keep their order, and unknown values stay last in both directions. */
function sorted(rows, column, descending) {
  if (!column) return rows;
  return [...rows].sort((one, other) => {
    const [a, b] = [column.value(one), column.value(other)];
    return a == null || b == null || !descending ? compare(a, b) : compare(b, a);
  });
}

const ARROWS = { none: "", ascending: "↑", descending: "↓" };

/** `sort` is the name of a column, after "-" for the other direction. */
function Table({ columns, rows, sort, onSort, keyOf, label }) {
  const name = sort.replace(/^-/, "");
  const by = columns.find((column) => column.name === name);
  const shown = useMemo(() => sorted(rows, by, sort.startsWith("-")), [rows, columns, sort]);
  const next = (column) => {
    const down = name === column.name ? !sort.startsWith("-") : column.first === "down";
    return `${down ? "-" : ""}${column.name}`;
  };
  const direction = (column) => (name !== column.name ? "none" : sort.startsWith("-") ? "descending" : "ascending");
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead><tr>${columns.map((column) => html`<th scope="col" aria-sort=${direction(column)} class=${column.kind || ""}>
        <button onClick=${() => onSort(next(column))}>${column.name}
          <span class="arrow" aria-hidden="true">${ARROWS[direction(column)]}</span></button></th>`)}</tr></thead>
      <tbody>${shown.map((row) => html`<tr key=${keyOf(row)}>
        ${columns.map((column) => html`<td class=${column.kind || ""}>${column.cell(row)}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}
