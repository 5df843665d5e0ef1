// Updates the open page and its texts of times, and handles the keys. The page works without it.
"use strict";

const body = document.body;
const main = document.getElementById("main");
const base = body.dataset.base;

// The server's clock, as a distance from this one.
let ahead = Number(body.dataset.now) - Date.now();

// Times: the same texts as the server writes, see `text/time.rs`.
function short(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

function text(form, distance) {
  const past = Math.max(0, Math.floor(distance / 1000));
  const left = Math.max(0, Math.floor(-distance / 1000));
  if (form === "age") return short(past);
  if (form === "left") return short(left);
  return past > 0 ? `${short(past)} ago` : left > 0 ? `in ${short(left)}` : "now";
}

function count() {
  const now = Date.now() + ahead;
  for (const time of main.querySelectorAll("time[data-at]")) {
    const next = text(time.dataset.form, now - Number(time.dataset.at));
    if (time.textContent !== next) time.textContent = next;
  }
}

// Replaces the children of a node by those of another, and keeps the nodes that are the same: by id, otherwise by place.
// Typed texts, ticked boxes and open details stay.
function morph(from, to) {
  const known = new Map();
  for (const child of from.children) if (id(child)) known.set(id(child), child);
  let at = from.firstChild;
  for (const next of [...to.childNodes]) {
    const same = id(next) ? known.get(id(next)) : at;
    if (!same || same.nodeName !== next.nodeName || id(same) !== id(next)) {
      from.insertBefore(next, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else from.insertBefore(same, at);
    if (same.nodeType !== Node.ELEMENT_NODE) {
      if (same.nodeValue !== next.nodeValue) same.nodeValue = next.nodeValue;
      continue;
    }
    attributes(same, next);
    if (!["TIME", "INPUT", "TEXTAREA", "SELECT"].includes(same.nodeName)) morph(same, next);
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

// The property `id` of a form is its field of that name, if it has one.
const id = (node) => node.getAttribute?.("id") ?? null;

function attributes(from, to) {
  const typed = from.nodeName === "INPUT" && from.type !== "hidden" ? ["value", "checked", "hidden"] : ["open"];
  const kept = [...typed, from.nodeName === "TR" ? "class" : ""];
  for (const { name, value } of to.attributes) {
    if (!kept.includes(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!kept.includes(name) && !to.hasAttribute(name)) from.removeAttribute(name);
  }
}

// Updates: one stream while the page is visible. The address is that of the page.
const live = document.getElementById("live");
const trouble = document.getElementById("trouble");
let stream = null;
let paused = false;
let lost = null;

function warn(problem) {
  trouble.hidden = !problem;
  if (problem) trouble.textContent = problem;
}

function update(event) {
  const { title, main: html, trouble: problem } = JSON.parse(event.data);
  ahead = Number(event.lastEventId) - Date.now();
  warn(problem && `The queue can't be read: ${problem}`);
  if (html === undefined) return;
  const next = document.createElement("template");
  next.innerHTML = html;
  morph(main, next.content);
  document.title = `${title} · Queue`;
  count();
  selected();
  point(rows().indexOf(main.querySelector("tr.current")));
}

function follow() {
  const wanted = !paused && !document.hidden;
  if (wanted && !stream) {
    stream = new EventSource(location.href.split("#")[0]);
    stream.onmessage = update;
    stream.onopen = () => {
      clearTimeout(lost);
      warn("");
    };
    stream.onerror = () => {
      // The browser opens a stream again that the server has ended, but not one that it has refused.
      clearTimeout(lost);
      lost = setTimeout(warn, 4000, "The page is not up to date: the server does not answer, or it has ended.");
    };
  } else if (!wanted && stream) {
    stream.close();
    stream = null;
  }
  live.hidden = false;
  live.classList.toggle("paused", paused);
  live.textContent = paused ? "paused" : "live";
}

function pause() {
  if (!live) return;
  paused = !paused;
  follow();
}

// Selected rows.
const boxes = () => [...main.querySelectorAll("td.tick input")];

function selected() {
  const all = document.getElementById("all");
  if (!all) return;
  all.hidden = false;
  const ticked = boxes().filter((box) => box.checked).length;
  all.checked = ticked > 0 && ticked === boxes().length;
  all.indeterminate = ticked > 0 && !all.checked;
  document.getElementById("selected").textContent = ticked > 0 ? `${ticked} selected` : "Selected";
}

// Keys.
const rows = () => [...main.querySelectorAll("tr[data-row]")];
let current = -1;

function point(index) {
  current = index;
  for (const [place, row] of rows().entries()) row.classList.toggle("current", place === index);
}

function step(by) {
  const count = rows().length;
  if (count === 0) return;
  point(Math.min(Math.max(current + by, 0), count - 1));
  rows()[current].scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  Enter: () => rows()[current] && location.assign(rows()[current].dataset.row),
  x: () => rows()[current]?.querySelector("td.tick input")?.click(),
  "/": () => main.querySelector("#filter input:not([type=hidden])")?.focus(),
  u: () => location.assign(`${base}/jobs`),
  p: pause,
  "?": () => document.getElementById("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (event.key === "Escape" && typing && !typing.matches("dialog")) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const page = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
  const act = page ? () => location.assign(page.href) : keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

main.addEventListener("change", (event) => {
  if (event.target.id === "all") for (const box of boxes()) box.checked = event.target.checked;
  selected();
});

count();
setInterval(count, 1000);
selected();
if ("live" in body.dataset) {
  live.addEventListener("click", pause);
  document.addEventListener("visibilitychange", follow);
  follow();
}
