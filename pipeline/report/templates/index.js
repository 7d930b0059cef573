"use strict";
(() => {
  const table = document.getElementById("experiments");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const order = new Intl.Collator(undefined, { numeric: true });
  const keyOf = (row, column) => row.cells[column].dataset.key;
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const heading = button.parentElement;
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const column = heading.cellIndex;
    rows.sort((a, b) => order.compare(keyOf(a, column), keyOf(b, column)) * (falling ? -1 : 1));
    body.append(...rows);
  });
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      if (!row.hidden) count += 1;
    }
    shown.textContent = wanted ? `${count} of ${rows.length}` : "";
  });
})();
