// Tables sort by a click on a heading and filter as one types; addresses can be copied.
"use strict";
(() => {
  const sorted = new Map(); // table id -> [column, direction]

  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell ? cell.dataset.value : undefined;
    if (value === undefined) return null;
    const number = Number(value);
    return value === "" || Number.isNaN(number) ? value : number;
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  };

  const sort = (table) => {
    const wanted = sorted.get(table.id);
    if (!wanted) return;
    const [column, direction] = wanted;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, i) => [key(row, column), i, row]);
    rows.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return a === b ? i - j : a === null ? 1 : -1; // unknown last
      return direction * compare(a, b) || i - j;
    });
    body.append(...rows.map(([, , row]) => row));
    for (const [i, cell] of [...table.tHead.rows[0].cells].entries()) {
      if (i === column) cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    }
  };

  const sortable = (table) => {
    for (const [i, cell] of [...table.tHead.rows[0].cells].entries()) {
      if (cell.querySelector("button")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const before = sorted.get(table.id);
        const down = cell.classList.contains("n") ? -1 : 1;
        sorted.set(table.id, [i, before && before[0] === i ? -before[1] : down]);
        sort(table);
      });
    }
    sort(table);
  };

  const filter = (form) => {
    const table = document.getElementById(form.dataset.filters);
    if (!table || !table.tBodies) return;
    const wanted = form.querySelector("input[type=search]").value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase() + row.id.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  };

  const own = (table) => {
    // A filter box of its own, for long tables that have none.
    if (table.tBodies[0].rows.length < 8) return;
    if (document.querySelector(`[data-filters="${CSS.escape(table.id)}"]`)) return;
    const form = document.createElement("form");
    form.className = "filter";
    form.dataset.filters = table.id;
    form.id = `filter-${table.id}`;
    form.setAttribute("role", "search");
    form.setAttribute("aria-label", table.caption.textContent);
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "Filter";
    input.setAttribute("aria-label", `Filter: ${table.caption.textContent}`);
    form.append(input);
    table.closest(".scroll").before(form);
  };

  const prepare = () => {
    for (const table of document.querySelectorAll("table[data-sortable]")) {
      sortable(table);
      if (table.hasAttribute("data-filtered")) own(table);
    }
    for (const form of document.querySelectorAll("form[data-filters]")) {
      filter(form);
      if (form.dataset.ready) continue;
      form.dataset.ready = "yes";
      form.addEventListener("input", () => filter(form));
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (!form.action || !form.method || !form.hasAttribute("action")) return;
        const query = new URLSearchParams(new FormData(form));
        history.replaceState(null, "", `${form.getAttribute("action")}?${query}`);
        filter(form);
      });
    }
    for (const button of document.querySelectorAll(".copy[hidden]")) button.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest ? event.target.closest(".copy") : null;
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      return; // not allowed here: the text can be selected
    }
    button.dataset.seen = "yes";
    setTimeout(() => delete button.dataset.seen, 1500);
  });

  window.underkeelTables = prepare;
  prepare();
})();
