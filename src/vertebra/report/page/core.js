"use strict";
// Text becomes text: no part of this script makes HTML of a string.

const byId = (id) => document.getElementById(id);
const read = (id) => JSON.parse(byId(id).textContent);

/** An element with attributes and children; a child that is no element becomes text. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** `tiny-llava-1.5/tiny-phi-3` as the page shows it: the backbone, then the family in small. */
function named(model) {
  const cut = model.lastIndexOf("/");
  return [model.slice(cut + 1), " ", element("small", {}, model.slice(0, cut))];
}

/** Fills a select with [value, text] pairs, and chooses one where it is among them. */
function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}

/** A model's name in a select. */
const optionOf = (model) => {
  const cut = model.lastIndexOf("/");
  return [model, `${model.slice(cut + 1)} (${model.slice(0, cut)})`];
};

const many = (count, what) => `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;
const signed = (value) => {
  const text = Math.abs(value).toFixed(1);
  return (text === "0.0" || value > 0 ? "+" : "−") + text;
};

/** The part of the address after `#`: a place and what is chosen there. */
function address() {
  const [place, query = ""] = splitOnce(location.hash.slice(1), "?");
  return { place, chosen: new URLSearchParams(query) };
}

/** Keeps what is chosen in the address, so that it can be passed on. */
function remember(place, chosen) {
  const query = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  history.replaceState(null, "", `#${place}?${query}`);
}

function splitOnce(text, mark) {
  const cut = text.indexOf(mark);
  return cut < 0 ? [text] : [text.slice(0, cut), text.slice(cut + 1)];
}

/** Place in the address -> what to do there with what is chosen. */
const visitors = {};
