// Sort the table of a header that is pressed; a second press turns the order around.
function sorted(rows, column, sign) {
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  return [...rows].sort((a, b) => sign * compare(value(a), value(b)));
}

for (const header of document.querySelectorAll("th")) {
  header.firstElementChild.addEventListener("click", () => {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    const body = header.closest("table").tBodies[0];
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    body.append(...sorted(body.rows, header.cellIndex, ascending ? 1 : -1));
  });
}
document.documentElement.dataset.ready = "yes";
