// Last of all: what only a script can do is shown and set going.

function whenWhole(work) {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", work, { once: true });
  else work();
}

/** Follows the address: to two models, to the gallery, or into a folded sheet. */
function follow() {
  const { place, chosen } = address();
  if (visitors[place] && location.hash.includes("?")) visitors[place](chosen);
  const folded = byId(place)?.closest("details");
  if (folded) {
    folded.open = true;
    byId(place).scrollIntoView();
  }
}

for (const part of document.querySelectorAll(".scripted")) part.hidden = false;
document.querySelectorAll("table[data-sort]").forEach(makeSortable);
document.querySelectorAll("table[data-filter]").forEach(makeFilterable);
startPairs();
startGallery();
window.addEventListener("hashchange", follow);
whenWhole(follow);
performance.mark("tables");
