// The questions of a benchmark, unpacked when they are looked at, and which of them are asked for.

const unpacked = new Map();

/** A benchmark's questions: base64 of deflated JSON. */
function questionsOf(block) {
  if (!unpacked.has(block)) {
    const bytes = Uint8Array.from(atob(byId(block).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    unpacked.set(block, new Response(stream).json());
  }
  return unpacked.get(block);
}

/** The small picture of this number as an address. */
function pictureOf(number, inBlock) {
  const block = `pictures-${Math.floor(number / inBlock)}`;
  if (!unpacked.has(block)) unpacked.set(block, read(block));
  return `data:image/webp;base64,${unpacked.get(block)[number % inBlock]}`;
}

/** Whether a question is of the group `dimension=value`, given as places; every one is of none. */
function inGroup(data, place, group) {
  if (!group) return true;
  return data.groups[group.dimension].of[place].includes(group.value);
}

function inDirection(direction, a, b) {
  if (direction === "all") return a !== null || b !== null;
  if (a === null || b === null) return false;
  if (direction === "wrong") return a < 1 && b < 1;
  if (direction === "a") return a > b;
  if (direction === "b") return b > a;
  return a !== b;
}

/** The places of the questions that fit what is chosen, in the benchmark's order. */
function selected(data, chosen) {
  const [a, b] = [data.models[chosen.a], data.models[chosen.b]];
  const words = chosen.search.toLowerCase();
  const text = (at) => (at < 0 ? "" : data.texts[at].toLowerCase());
  const found = [];
  for (let place = 0; place < data.ids.length; place += 1) {
    if (!inDirection(chosen.direction, a.scores[place], b.scores[place])) continue;
    if (!inGroup(data, place, chosen.group)) continue;
    const searched = () => [data.ids[place].toLowerCase(), data.questions[place].toLowerCase(), text(a.answers[place]), text(b.answers[place])];
    if (words && !searched().some((each) => each.includes(words))) continue;
    found.push(place);
  }
  return found;
}
