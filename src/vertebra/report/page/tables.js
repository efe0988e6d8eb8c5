// Tables that sort by a click or a key on a header, and lines and columns that are filtered by words.

/** What a cell counts as: in a column of numbers the one it starts with, else its text; null for a dash. */
function worth(cell, isText) {
  if (cell === undefined) return null;
  const text = (cell.dataset.value ?? cell.textContent).trim();
  if (text === "" || text === "–") return null;
  const number = isText ? NaN : parseFloat(text.replace("−", "-").replaceAll(",", "").replace(/^p [<=] /, ""));
  return Number.isNaN(number) ? text : number;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

/** Sorts the lines of each part of a table; what has no worth stays at the end. */
function sort(table, header, column, direction) {
  const isText = header.classList.contains("text");
  for (const body of table.tBodies) {
    const lines = [...body.rows].filter((row) => row.cells.length > 1);
    lines.forEach((row, place) => (row.dataset.place ??= place));
    const keyed = lines.map((row) => ({ row, key: direction ? worth(row.cells[column], isText) : Number(row.dataset.place) }));
    const sign = direction === "descending" ? -1 : 1;
    keyed.sort((one, other) => {
      if (one.key === null || other.key === null) return (one.key === null) - (other.key === null);
      return sign * compare(one.key, other.key);
    });
    body.append(...keyed.map(({ row }) => row));
  }
}

/** Best first for numbers, A first for words, then the other way round, then as it was. */
function nextDirection(header) {
  const order = header.classList.contains("text") ? ["ascending", "descending"] : ["descending", "ascending"];
  return order[order.indexOf(header.getAttribute("aria-sort")) + 1] ?? null;
}

function makeSortable(table) {
  const headers = [...table.tHead.rows].at(-1).cells;
  [...headers].forEach((header, column) => {
    if ("plain" in header.dataset) return;
    const button = element("button", { type: "button" }, ...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const direction = nextDirection(header);
      for (const other of headers) other.removeAttribute("aria-sort");
      if (direction) header.setAttribute("aria-sort", direction);
      sort(table, header, column, direction);
    });
  });
}

/** Whether a text has one of the words. */
function has(text, words) {
  const found = text.toLowerCase();
  return words.length === 0 || words.some((word) => found.includes(word));
}

const wordsOf = (input) => input.value.toLowerCase().split(/[\s,]+/).filter(Boolean);

/** Shows the lines whose model has one of the words and whose family is ticked, and the columns by theirs. */
function applyFilter(table, fields, status) {
  const models = wordsOf(fields.models);
  const others = fields.others ? wordsOf(fields.others) : [];
  const byLine = table.dataset.filter.includes("lines");
  const headers = [...[...table.tHead.rows].at(-1).cells];
  const shown = headers.map((header, at) => byLine || at === 0 || "always" in header.dataset || has(header.textContent, others));
  headers.forEach((header, at) => (header.hidden = !shown[at]));
  let count = 0;
  let all = 0;
  for (const body of table.tBodies) {
    const ticked = fields.families.get(body.dataset.family)?.checked ?? true;
    for (const row of body.rows) {
      if (row.cells.length === 1) continue;
      const fits = ticked && has(`${row.cells[0].textContent} ${body.dataset.family ?? ""}`, models);
      row.hidden = !fits || (byLine && !has([...row.cells].slice(1).map((cell) => cell.textContent).join(" "), others));
      [...row.cells].forEach((cell, at) => (cell.hidden = !shown[at]));
      all += 1;
      count += !row.hidden;
    }
    body.hidden = [...body.rows].every((row) => row.hidden || row.cells.length === 1);
  }
  const columns = byLine ? "" : `, ${many(shown.filter(Boolean).length - 1, "column")}`;
  const filtered = models.length || others.length || count < all;
  status.textContent = filtered ? `${count.toLocaleString("en")} of ${many(all, "line")}${columns}` : "";
}

/** Puts the fields for filtering above a table. */
function makeFilterable(table) {
  const byLine = table.dataset.filter.includes("lines");
  const field = (label) => {
    const input = element("input", { type: "search", autocomplete: "off", spellcheck: "false" });
    return { input, label: element("label", {}, label, input) };
  };
  const models = field("Models");
  const others = field(byLine ? "Benchmark or metric" : "Benchmarks");
  const families = new Map();
  const labels = [];
  const named = [...table.tBodies].map((body) => body.dataset.family).filter(Boolean);
  for (const family of named.length > 1 ? named : []) {
    const box = element("input", { type: "checkbox", checked: true });
    families.set(family, box);
    labels.push(element("label", { class: "check" }, box, family));
  }
  const status = element("p", { role: "status" });
  const fields = { models: models.input, others: others.input, families };
  const bar = element("div", { class: "controls" }, models.label, others.label, ...labels, status);
  bar.addEventListener("input", () => applyFilter(table, fields, status));
  table.closest(".wide").before(bar);
}
