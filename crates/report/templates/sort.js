"use strict";
// Turns table headers into buttons that sort the rows. Nothing else on the page needs a script.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// Missing values have an empty key and sort last in either order.
function compare(one, other, numbers, sign) {
  if (one === "" || other === "") return (one === "") - (other === "");
  return sign * (numbers ? Number(one) - Number(other) : collator.compare(one, other));
}

function sort(table, header, column) {
  const numbers = header.dataset.kind === "number";
  const before = header.getAttribute("aria-sort");
  const opposite = { ascending: "descending", descending: "ascending" };
  // Numbers start with the largest, text with A.
  const order = opposite[before] ?? (numbers ? "descending" : "ascending");
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, key: row.cells[column].dataset.key }));
  // The sort is stable: rows with equal keys keep the order of the previous sort.
  rows.sort((one, other) => compare(one.key, other.key, numbers, sign));
  body.append(...rows.map(({ row }) => row));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", order);
}

for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, header, column));
  });
}
