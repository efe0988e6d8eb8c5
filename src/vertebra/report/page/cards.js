// A question as a card: its picture, what is right, what both models said and what that is worth.

const WITHOUT = { "-1": "no picture", "-2": "picture left out", "-3": "picture cannot be read" };

function pictureCell(data, place, inBlock) {
  const number = data.pictures[place];
  if (number < 0) return element("div", { class: "none shown" }, WITHOUT[number]);
  const alt = `Picture of question ${data.ids[place]}`;
  return element("img", { class: "shown", src: pictureOf(number, inBlock), alt, loading: "lazy", decoding: "async" });
}

/** `✓ right`, `✗ wrong`, or how much it scored; and what the grading took the answer for, where that says more. */
function verdictOf(score, answer, parsed, judged) {
  if (score === null) return element("span", { class: "verdict" }, "not asked");
  const plain = judged || ![0, 1].includes(score);
  const [kind, text] = plain ? ["", `scored ${score}`] : score === 1 ? ["right", "✓ right"] : ["wrong", "✗ wrong"];
  const told = [];
  if (parsed === null) told.push(judged ? ", the judge's reply was not understood" : ", not understood");
  else if (parsed.trim().toLowerCase() !== answer?.trim().toLowerCase()) {
    told.push(judged ? ", the judge gave " : ", taken as ", element("bdi", {}, parsed));
  }
  return element("span", { class: `verdict ${kind}`.trim() }, text, ...told);
}

function saidBy(data, place, chosen, letter, entry) {
  const at = chosen[letter];
  const model = data.models[at];
  const text = (number) => (number < 0 ? null : data.texts[number]);
  const [answer, parsed] = [text(model.answers[place]), text(model.parsed[place])];
  const said = answer === null ? element("small", {}, "no answer") : element("p", { class: "said", dir: "auto" }, answer || "(empty)");
  return element(
    "div",
    { class: chosen.a === chosen.b && "alone" },
    element("dt", {}, chosen.a === chosen.b ? "" : `${letter.toUpperCase()} · `, ...named(entry.models[at])),
    element("dd", {}, said, " ", verdictOf(model.scores[place], answer, parsed, entry.judged)),
  );
}

function groupsOf(data, place) {
  return Object.entries(data.groups).flatMap(([name, { values, of }]) =>
    of[place].map((value) => `${name.replaceAll("_", " ")}: ${values[value]}`),
  );
}

function goldOf(data, place, judged) {
  if (data.gold[place] < 0) return null;
  const text = element("p", { class: "said", dir: "auto" }, data.texts[data.gold[place]]);
  return element("div", { class: "gold" }, element("dt", {}, judged ? "Reference" : "Right"), element("dd", {}, text));
}

/** The card of a question; `chosen` has the places of both models in the entry's benchmark. */
function card(data, place, chosen, entry, inBlock) {
  const about = [`Question ${data.ids[place]}`, ...groupsOf(data, place)].join(" · ");
  const answers = element(
    "dl",
    {},
    goldOf(data, place, entry.judged),
    saidBy(data, place, chosen, "a", entry),
    chosen.b === chosen.a ? null : saidBy(data, place, chosen, "b", entry),
  );
  return element(
    "li",
    { class: "card", tabindex: "-1", "data-id": data.ids[place] },
    pictureCell(data, place, inBlock),
    element(
      "div",
      {},
      element("small", {}, about),
      element("p", { class: "question", dir: "auto" }, data.questions[place] || "(its text is not known)"),
      answers,
    ),
  );
}
