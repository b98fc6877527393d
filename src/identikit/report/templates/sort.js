"use strict";
// A table sorts by a click on a heading: first from the smallest, then from the largest; rows
// without a value ("—" or nothing) come last. Rows are those of one body, sorted in place.
function sortable(table, rows, columns, valueOf = (cell) => cell.dataset.sort ?? cell.textContent.trim()) {
  const heads = [...table.tHead.rows[0].cells].filter((_, column) => columns.includes(column));
  const { compare } = new Intl.Collator("en", { numeric: true });
  for (const head of heads) {
    const button = document.createElement("button"), column = head.cellIndex;
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.ariaSort !== "ascending";
      for (const other of heads) other.ariaSort = other === head ? (up ? "ascending" : "descending") : null;
      const values = new Map(rows.map((row) => [row, valueOf(row.cells[column], row)]));
      const missing = (row) => values.get(row) === "—" || values.get(row) === "";
      const order = (a, b) => a - b || (Number.isNaN(a - b) ? compare(a, b) : 0);
      rows.sort((a, b) => missing(a) - missing(b) || (up ? 1 : -1) * order(values.get(a), values.get(b)));
      table.tBodies[0].append(...rows);
    });
  }
}
