// Two models on all benchmarks, and from there to the questions behind a difference.

/** B less A on one benchmark; null where they were not compared. */
function difference(square, a, b) {
  for (const [one, other, value, low, high, chance, real] of square.pairs) {
    if (one === a && other === b) return { value, low, high, chance, real };
    if (one === b && other === a) return { value: -value, low: -high, high: -low, chance, real: -real };
  }
  return null;
}

function pairLine(square, a, b) {
  const found = difference(square, a, b);
  const number = (model) => square.values[model]?.toFixed(1) ?? "–";
  const kind = !found?.real ? "chance" : found.real > 0 ? "better" : "worse";
  const query = new URLSearchParams({ benchmark: square.gallery ?? "", a, b });
  const link = element("a", { href: `#gallery?${query}` }, "questions");
  link.setAttribute("aria-label", `Questions of ${square.title} on which they differ`);
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("a", { href: `#${square.sheet}` }, square.title)),
    element("td", { class: "text" }, square.metric),
    element("td", {}, number(a)),
    element("td", {}, number(b)),
    element("td", { class: found ? kind : null, "data-value": found?.value ?? "" }, found ? signed(found.value) : "–"),
    element("td", { "data-value": found?.low ?? "" }, found ? `${signed(found.low)} to ${signed(found.high)}` : "–"),
    element("td", {}, found ? found.chance.replace("p = ", "").replace("p ", "") : "–"),
    element("td", { class: "text" }, found && square.gallery !== null ? link : ""),
  );
}

function showPair(matrix) {
  const [a, b] = [byId("compare-a").value, byId("compare-b").value];
  const table = byId("compare-table");
  table.tBodies[0].replaceChildren(...matrix.squares.map((square) => pairLine(square, a, b)));
  for (const header of table.tHead.rows[0].cells) header.removeAttribute("aria-sort");
  const found = matrix.squares.map((square) => difference(square, a, b)).filter(Boolean);
  const real = found.filter((each) => each.real).length;
  byId("compare-count").textContent =
    a === b ? "Choose two models." : `${real} of ${many(found.length, "difference")} ${real === 1 ? "is" : "are"} more than chance.`;
}

function startPairs() {
  if (!byId("compare")) return;
  const matrix = read("matrix");
  const [first, second] = [byId("compare-a"), byId("compare-b")];
  const options = matrix.models.map(optionOf);
  const choose = (a, b) => {
    fill(first, options, a);
    fill(second, options, b);
    showPair(matrix);
  };
  for (const select of [first, second]) {
    select.addEventListener("change", () => {
      showPair(matrix);
      remember("compare", { a: first.value, b: second.value });
    });
  }
  byId("compare-swap").addEventListener("click", () => {
    choose(second.value, first.value);
    remember("compare", { a: first.value, b: second.value });
  });
  choose(matrix.models[0], matrix.models[1]);
  visitors.compare = (chosen) => {
    choose(chosen.get("a"), chosen.get("b"));
    byId("compare").scrollIntoView();
  };
}
