// A question as a card: its picture, what is right, what both models said and what that is worth.

const WITHOUT = { "-1": "no picture", "-2": "picture left out", "-3": "picture cannot be read" };

function pictureCell(data, place, inBlock) {
  const number = data.pictures[place];
  if (number < 0) return element("div", { class: "none shown" }, WITHOUT[number]);
  const alt = `Picture of question ${data.ids[place]}`;
  return element("img", { class: "shown", src: pictureOf(number, inBlock), alt, loading: "lazy", decoding: "async" });
}

/** `✓ right`, `✗ wrong`, or how much of it is right; and what the grading took the answer for, where that differs. */
function verdictOf(score, answer, parsed) {
  if (score === null) return element("span", { class: "verdict" }, "not asked");
  const [kind, text] = score === 1 ? ["right", "✓ right"] : score === 0 ? ["wrong", "✗ wrong"] : ["", `scored ${score}`];
  const read = parsed === null ? "not understood" : parsed.trim().toLowerCase() === answer?.trim().toLowerCase() ? null : element("bdi", {}, parsed);
  const told = read === null ? [] : parsed === null ? [`, ${read}`] : [", taken as ", read];
  return element("span", { class: `verdict ${kind}`.trim() }, text, ...told);
}

function saidBy(data, place, model, letter, name) {
  const text = (at) => (at < 0 ? null : data.texts[at]);
  const [answer, parsed] = [text(model.answers[place]), text(model.parsed[place])];
  const said = answer === null ? element("small", {}, "no answer") : element("p", { class: "said", dir: "auto" }, answer || "(empty)");
  return element(
    "div",
    {},
    element("dt", {}, `${letter} · `, ...named(name)),
    element("dd", {}, said, " ", verdictOf(model.scores[place], answer, parsed)),
  );
}

function groupsOf(data, place) {
  return Object.entries(data.groups).flatMap(([name, { values, of }]) =>
    of[place].map((value) => `${name.replaceAll("_", " ")}: ${values[value]}`),
  );
}

/** The card of a question; `chosen` has the places of both models, `names` what all models are called. */
function card(data, place, chosen, names, inBlock) {
  const gold = data.gold[place] < 0 ? null : data.texts[data.gold[place]];
  const right = gold === null ? null : element("div", { class: "gold" }, element("dt", {}, "Right"), element("dd", {}, element("p", { class: "said", dir: "auto" }, gold)));
  const about = [`Question ${data.ids[place]}`, ...groupsOf(data, place)].join(" · ");
  return element(
    "li",
    { class: "card", tabindex: "-1", "data-id": data.ids[place] },
    pictureCell(data, place, inBlock),
    element(
      "div",
      {},
      element("small", {}, about),
      element("p", { class: "question", dir: "auto" }, data.questions[place] || "(its text is not known)"),
      element(
        "dl",
        {},
        right,
        saidBy(data, place, data.models[chosen.a], "A", names[chosen.a]),
        saidBy(data, place, data.models[chosen.b], "B", names[chosen.b]),
      ),
    ),
  );
}
