// The gallery: what is chosen, the list of cards, and moving through it by keys.

const AT_ONCE = 24;
const DIRECTIONS = [
  ["either", "where A and B differ"],
  ["a", "where A scored higher"],
  ["b", "where B scored higher"],
  ["wrong", "where neither is right"],
  ["all", "all questions"],
];
const ALONE = [["all", "all questions"], ["wrong", "where it is not right"]];

const gallery = { index: null, data: null, entry: null, found: [], asked: null, shown: 0, turn: 0 };
const field = (name) => byId(`gallery-${name}`);

/** What the fields say, and the places of both models and of the group. */
function chosenNow() {
  const [dimension, value] = field("group").value ? JSON.parse(field("group").value) : [];
  return {
    a: gallery.entry.models.indexOf(field("a").value),
    b: gallery.entry.models.indexOf(field("b").value),
    direction: field("direction").value,
    group: dimension === undefined ? null : { dimension, value: gallery.data.groups[dimension].values.indexOf(value) },
    search: field("search").value.trim(),
  };
}

/** Opens a benchmark with what is asked for: models, group, direction, search and a question. */
async function openBenchmark(key, wanted) {
  const turn = (gallery.turn += 1);
  const entry = gallery.index.benchmarks.find((each) => each.key === key) ?? gallery.index.benchmarks[0];
  field("count").textContent = "Unpacking …";
  let data;
  try {
    data = await questionsOf(entry.block);
  } catch {
    field("count").textContent = "This browser cannot unpack the questions. Any of the last years can.";
    return;
  }
  if (turn !== gallery.turn) return;
  Object.assign(gallery, { entry, data });
  field("benchmark").value = entry.key;
  fillModels(entry, wanted);
  fillGroups(data, wanted.get("group"));
  field("search").value = wanted.get("q") ?? "";
  gallery.asked = wanted.get("id");
  showFound();
}

/** Where a benchmark has one model, there is nothing to choose between, and its questions are listed. */
function fillModels(entry, wanted) {
  const models = entry.models.map(optionOf);
  const alone = models.length === 1;
  fill(field("a"), models, wanted.get("a"));
  fill(field("b"), models, wanted.get("b") ?? entry.models.find((model) => model !== field("a").value));
  fill(field("direction"), alone ? ALONE : DIRECTIONS, wanted.get("direction"));
  for (const name of ["a", "b"]) field(name).closest("label").hidden = alone;
}

function fillGroups(data, wanted) {
  const groups = Object.entries(data.groups).flatMap(([dimension, { values }]) =>
    values.map((value) => [JSON.stringify([dimension, value]), `${dimension.replaceAll("_", " ")}: ${value}`]),
  );
  fill(field("group"), [["", "all"], ...groups], wanted ?? "");
  field("group").closest("label").hidden = groups.length === 0;
}

/** The list of what fits; a question that was asked for by its id comes first, whether it fits or not. */
function showFound() {
  const chosen = chosenNow();
  const found = selected(gallery.data, chosen);
  const asked = gallery.asked === null ? -1 : gallery.data.ids.indexOf(gallery.asked);
  gallery.found = asked < 0 ? found : [asked, ...found.filter((place) => place !== asked)];
  gallery.shown = 0;
  field("cards").replaceChildren();
  showMore();
  const all = gallery.data.ids.length;
  field("count").textContent = `${found.length.toLocaleString("en")} of ${many(all, "question")} of ${gallery.entry.title}`;
  if (asked >= 0) field("cards").firstElementChild?.setAttribute("aria-current", "true");
}

function showMore() {
  const chosen = chosenNow();
  const next = gallery.found.slice(gallery.shown, gallery.shown + AT_ONCE);
  const cards = next.map((place) => card(gallery.data, place, chosen, gallery.entry, gallery.index.in_a_block));
  field("cards").append(...cards);
  if (gallery.shown === 0) cards[0]?.setAttribute("tabindex", "0");
  gallery.shown += next.length;
  const left = gallery.found.length - gallery.shown;
  field("more").hidden = left === 0;
  field("more").textContent = `Show ${Math.min(left, AT_ONCE)} more of ${left.toLocaleString("en")}`;
}

function rememberChosen() {
  remember("gallery", {
    benchmark: gallery.entry.key,
    a: field("a").value,
    b: field("b").value,
    direction: field("direction").selectedIndex === 0 ? "" : field("direction").value,
    group: field("group").value,
    q: field("search").value.trim(),
    id: gallery.asked,
  });
}

/** Goes to a card, making more of them where the list ends. */
function focusCard(place) {
  if (place >= gallery.shown) showMore();
  const cards = field("cards").children;
  const next = cards[Math.max(0, Math.min(place, cards.length - 1))];
  for (const other of field("cards").querySelectorAll("[tabindex='0']")) other.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

const STEPS = { j: 1, ArrowDown: 1, ArrowRight: 1, k: -1, ArrowUp: -1, ArrowLeft: -1 };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const current = event.target.closest(".card");
  if (!current || !(event.key in STEPS || ["Home", "End"].includes(event.key))) return;
  event.preventDefault();
  const cards = [...field("cards").children];
  const places = { Home: 0, End: cards.length - 1 };
  focusCard(places[event.key] ?? cards.indexOf(current) + STEPS[event.key]);
}

function startGallery() {
  if (!byId("gallery-body")) return;
  gallery.index = read("galleries");
  fill(field("benchmark"), gallery.index.benchmarks.map(({ key, title }) => [key, title]));
  field("form").addEventListener("submit", (event) => event.preventDefault());
  field("form").addEventListener("input", async (event) => {
    if (event.target === field("benchmark")) {
      const kept = new URLSearchParams({ a: field("a").value, b: field("b").value, direction: field("direction").value });
      await openBenchmark(field("benchmark").value, kept);
    }
    if (!gallery.data) return;
    gallery.asked = null;
    showFound();
    rememberChosen();
  });
  field("cards").addEventListener("keydown", onKey);
  field("more").addEventListener("click", () => focusCard(gallery.shown));
  visitors.gallery = async (chosen) => {
    await openBenchmark(chosen.get("benchmark"), chosen);
    byId("gallery").scrollIntoView();
    if (gallery.asked !== null) focusCard(0);
    else byId("gallery").focus({ preventScroll: true });
  };
  openWhenNear();
}

/** Unpacks the first benchmark once the gallery comes near, unless an address has opened one. */
function openWhenNear() {
  const watcher = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watcher.disconnect();
    if (gallery.turn === 0) openBenchmark(null, new URLSearchParams());
  }, { rootMargin: "600px" });
  whenWhole(() => watcher.observe(byId("gallery-body")));
}
