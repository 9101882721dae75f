"use strict";
// Turns the heads of tables into buttons that sort them. Nothing else on the page needs a script.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// What is missing has an empty key, and stands last in either order.
function compare(one, other, numbers, sign) {
  if (one === "" || other === "") return (one === "") - (other === "");
  return sign * (numbers ? Number(one) - Number(other) : collator.compare(one, other));
}

function sort(table, head, column) {
  const numbers = head.dataset.kind === "number";
  const before = head.getAttribute("aria-sort");
  const opposite = { ascending: "descending", descending: "ascending" };
  // What is most is what people look for; names are looked up from A.
  const order = opposite[before] ?? (numbers ? "descending" : "ascending");
  const sign = order === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, key: row.cells[column].dataset.key }));
  // Rows with equal keys stay as they are: sorting by a second column keeps the first.
  rows.sort((one, other) => compare(one.key, other.key, numbers, sign));
  body.append(...rows.map(({ row }) => row));
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
}

for (const table of document.querySelectorAll("table.sortable")) {
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, head, column));
  });
}
