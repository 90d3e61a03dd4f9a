// The command centre: case panel beside the list, live feed, figures and queue kept fresh.
// Asks only while the page is visible; nothing moves under the eyes of whoever reads.

import { relativeTimes } from "./app.js";
import { createMap } from "./map.js";

const FEED_EVERY = 3000;
const FIGURES_EVERY = 15000;
const FEED_LENGTH = 60;
const near = 15;

const byId = (id) => document.getElementById(id);
const drawer = byId("drawer");
const feed = byId("feed");
const canvas = byId("board-map");
let board;

// ---------- the panel of a case
function select(url) {
  document.querySelectorAll(".selected").forEach((row) => row.classList.remove("selected"));
  if (!url) return;
  document.querySelectorAll("a[data-drawer]").forEach((link) => {
    if (link.getAttribute("href") !== url) return;
    (link.closest("tr, .k-event") || link).classList.add("selected");
  });
}

function open(url) {
  window.htmx.ajax("GET", `${url}?shell=panel`, { target: "#drawer-body", swap: "innerHTML" }).then(() => {
    drawer.hidden = false;
    drawer.dataset.url = url;
    drawer.scrollTop = 0;
    select(url);
  });
}

function close() {
  drawer.hidden = true;
  byId("drawer-body").replaceChildren();
  select("");
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close-drawer]")) { close(); return; }
  if (event.target.closest("[data-fresh]")) { refreshQueue(true); return; }
  const link = event.target.closest("a[data-drawer]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || window.innerWidth < 700) return;
  event.preventDefault();
  open(link.getAttribute("href"));
  if (board && link.dataset.lat) {
    board.map.setView([Number(link.dataset.lat), Number(link.dataset.lon)], Math.max(near, board.map.getZoom()));
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && drawer && !drawer.hidden && !document.querySelector("dialog[open]")) close();
});

// ---------- a place is chosen step by step: a new town forgets the village
document.addEventListener("change", (event) => {
  const steps = [...document.querySelectorAll("[data-filters] [data-step]")];
  const at = steps.indexOf(event.target);
  if (at >= 0) steps.slice(at + 1).forEach((step) => { step.value = ""; });
}, true);

// ---------- asking quietly: a lost connection shows in one place only
function showLive(alive) {
  const mark = document.querySelector("[data-live]");
  if (!mark) return;
  mark.classList.toggle("off", !alive);
  mark.textContent = alive ? mark.dataset.textLive : mark.dataset.textOff;
}

async function ask(url, target = "") {
  const answer = await fetch(url, { headers: { "HX-Request": "true", "HX-Target": target, "HX-Current-URL": location.href } });
  const elsewhere = answer.headers.get("HX-Redirect");
  if (elsewhere) { location.href = elsewhere; throw new Error("signed out"); }
  if (!answer.ok) throw new Error(answer.status);
  return answer;
}

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// ---------- feed
// A row may come after rows with a higher number: each is put in its place.
function insert(row) {
  const below = [...feed.children].find((old) => Number(old.dataset.event) < Number(row.dataset.event));
  row.classList.add("g-new");
  feed.insertBefore(row, below || null);
}

async function pollFeed() {
  if (document.hidden) return;
  try {
    const answer = await ask(`${feed.dataset.feed}?after=${feed.dataset.newest}`);
    showLive(true);
    if (answer.status === 204) return;
    feed.dataset.newest = answer.headers.get("X-Newest");
    const told = fragment(await answer.text());
    const known = new Set([...feed.children].map((row) => row.dataset.event));
    const fresh = [...told.querySelectorAll("[data-event]")].filter((row) => !known.has(row.dataset.event));
    if (!fresh.length) return;
    const before = feed.scrollHeight;
    fresh.forEach(insert);
    if (feed.scrollTop > 0) feed.scrollTop += feed.scrollHeight - before;
    while (feed.children.length > FEED_LENGTH) feed.lastElementChild.remove();
    feed.parentElement.querySelector(".k-none").hidden = true;
    relativeTimes(feed);
    refreshQueue(false);
    board?.refresh();
  } catch { showLive(false); }
}

// ---------- queue: replaced only while it stands at its beginning and nobody points at it
async function refreshQueue(now) {
  const place = byId("board-queue");
  const rows = place?.querySelector("[data-queue]");
  if (!rows) return;
  const reading = rows.dataset.first === undefined || rows.scrollTop > 0 || rows.matches(":hover") || rows.contains(document.activeElement);
  if (reading && !now) { place.querySelector("[data-fresh]").hidden = false; return; }
  const known = new Set([...rows.querySelectorAll("[data-id]")].map((row) => row.dataset.id));
  try {
    const url = new URL(rows.dataset.queue, location.href);
    const answer = await ask(url, "board-queue");
    place.replaceChildren(fragment(await answer.text()));
    place.querySelectorAll("[data-id]").forEach((row) => { if (!known.has(row.dataset.id)) row.classList.add("g-new"); });
    window.htmx.process(place);
    relativeTimes(place);
    select(drawer.hidden ? "" : drawer.dataset.url);
  } catch { showLive(false); }
}

// ---------- figures
async function refreshFigures() {
  const box = document.querySelector("[data-every]");
  if (document.hidden || !box) return;
  try {
    const answer = await ask(box.dataset.every);
    const parts = fragment(await answer.text());
    const slow = parts.querySelector("#slow");
    slow?.remove();
    box.replaceChildren(parts);
    if (slow) byId("slow").replaceChildren(...slow.childNodes);
  } catch { showLive(false); }
}

// ---------- the map follows the tab; a step taken in the panel refreshes all at once
function mapQuery() {
  const rows = document.querySelector("#board-queue [data-queue]");
  const asked = Object.fromEntries(new URL(rows.dataset.queue, location.href).searchParams);
  delete asked.cursor;
  return asked;
}

if (canvas) {
  board = createMap(canvas, { onPoint: (point) => open(point.url) });
  board.filter(mapQuery());
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "board-queue") board.filter(mapQuery());
  });
}
if (feed) {
  setInterval(pollFeed, FEED_EVERY);
  setInterval(refreshFigures, FIGURES_EVERY);
  document.addEventListener("visibilitychange", pollFeed);
  document.body.addEventListener("geshi:changed", () => { pollFeed(); refreshFigures(); refreshQueue(true); });
}
