// The visitor's phone: the round by nearness, check-in at the door, the diary kept until it is sent.
import { csrf, forget, restore, save, toast } from "./app.js";
import { createMap } from "./map.js";
import { Refused, blob, newKey, photoPicker, post, unsent } from "./unsent.js";

// ---------- position
function locate(where, found, failed) {
  const words = where.dataset;
  if (!navigator.geolocation || !window.isSecureContext) { failed(words.textInsecure); return; }
  where.textContent = words.textLooking;
  navigator.geolocation.getCurrentPosition(({ coords }) => found(coords), ({ code }) => {
    failed({ 1: words.textDenied, 3: words.textTimeout }[code] || words.textUnavailable);
  }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
}

// ---------- one visit
const TYPED = ["met", "diary", "need"];
const CHECKED = ["at", "lat", "lon", "accuracy"];

function send(draft) {
  const body = new FormData();
  [...CHECKED, ...TYPED].forEach((name) => body.append(name, draft.fields[name] || ""));
  body.set("key", draft.key);
  draft.photos.forEach((photo) => body.append("photo_files", blob(photo.data), "photo.jpg"));
  return post(draft.url, body);
}

const waiting = unsent("visits", {
  send,
  title: (draft) => draft.title,
  body: ({ fields }) => [fields.diary, fields.need].filter(Boolean).join("\n"),
  sent: (draft, url) => mark(draft.url, url),
});

// Address of a door → where its visit is shown, "" while it waits: the list may be put in anew.
const visited = new Map();

/** Notes that the visit at a door is saved, or waits when there is no `url` yet. */
function mark(door, url = "") {
  visited.set(door, url);
  showVisited();
}

function showVisited() {
  const words = document.querySelector("dialog.v-sheet")?.dataset;
  if (!words) return;
  document.querySelectorAll(".v-stop").forEach((stop) => {
    stop.dataset.door ||= stop.querySelector("a").pathname;
    const url = visited.get(stop.dataset.door);
    if (url === undefined) return;
    stop.classList.add("v-did");
    stop.querySelector("[data-quick]").textContent = url ? words.textSent : words.textWaits;
    if (url) stop.querySelectorAll("a").forEach((link) => { link.href = url; });
  });
}

/** Answers the act of checking in: time and place of now go into the form. */
function checkIn(form) {
  const panel = form.querySelector(".v-checkin");
  const where = panel.querySelector("[data-where]");
  const hint = where.textContent;
  const { at, lat, lon, accuracy } = form.elements;
  function told(words, metres) {
    const time = new Date(at.value).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    return words.replace("{time}", time).replace("{metres}", metres);
  }
  function undo() {
    CHECKED.forEach((name) => { form.elements[name].value = ""; });
    panel.classList.remove("done");
    where.textContent = hint;
  }
  function now() {
    undo();
    const mine = at.value = new Date().toISOString();
    panel.classList.add("done");
    locate(where, (coords) => {
      if (at.value !== mine) return; // it was for another door
      lat.value = coords.latitude.toFixed(6);
      lon.value = coords.longitude.toFixed(6);
      accuracy.value = Math.round(coords.accuracy);
      where.textContent = told(where.dataset.textFound, accuracy.value);
    }, (why) => { if (at.value === mine) where.textContent = `${told(where.dataset.textNone, "")}\n${why}`; });
  }
  panel.querySelector("[data-checkin]").addEventListener("click", now);
  return { now, undo };
}

function quickNeeds(form) {
  const need = form.elements.need;
  form.querySelectorAll("[data-need]").forEach((chip) => chip.addEventListener("click", () => {
    need.value = chip.dataset.need;
    need.dispatchEvent(new Event("input", { bubbles: true }));
    need.focus();
  }));
}

/** Brings the form to life: `sent(url)` and `waits()` say what the page does after a press. */
function visitForm(form, { sent, waits }) {
  const picker = photoPicker(form.querySelector("[data-shots]"));
  const press = document.querySelector(`[type=submit][form=${form.id}]`);
  const label = press.querySelector("span");
  const refusal = form.querySelector("[data-refusal]");
  const door = checkIn(form);
  const name = () => { label.textContent = form.elements.need.value.trim() ? press.dataset.textNeed : press.dataset.textPlain; };
  form.elements.need.addEventListener("input", name);
  quickNeeds(form);
  name();
  if (!form.elements.key.value) form.elements.key.value = newKey();

  function blank() {
    form.reset();
    form.querySelector(".g-kept")?.remove();
    form.elements.key.value = newKey();
    refusal.hidden = true;
    door.undo();
    picker.clear();
    name();
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.classList.contains("busy")) return;
    press.classList.add("busy");
    const data = new FormData(form);
    const fields = Object.fromEntries([...CHECKED, ...TYPED].map((field) => [field, String(data.get(field) || "")]));
    fields.at ||= new Date().toISOString(); // it may be sent hours later
    const { visit: title, url, keep } = form.dataset;
    const draft = { key: form.elements.key.value, url, title, fields, photos: [...picker.photos] };
    const kept = await waiting.put(draft);
    try {
      const { url: there } = await send(draft);
      await waiting.drop(draft.key);
      forget(keep);
      blank(); // whoever comes back writes another visit
      sent(there);
    } catch (problem) {
      if (problem instanceof Refused) {
        await waiting.drop(draft.key);
        refusal.textContent = problem.message;
        refusal.hidden = false;
        refusal.scrollIntoView({ block: "nearest" });
        return;
      }
      toast(problem.message, "warning");
      if (!kept) return;
      forget(keep); // it waits among the unsent ones now
      blank();
      await waiting.show();
      waits();
    } finally {
      press.classList.remove("busy");
    }
  });
  return { blank, door, name };
}

// ---------- today's round
function round(bar) {
  const where = bar.querySelector("[data-where]");
  const list = document.getElementById("round");
  const nearest = () => locate(where, async (coords) => {
    const body = new FormData(); // in the body, so that no log keeps where a worker was
    body.append("lat", coords.latitude.toFixed(6));
    body.append("lon", coords.longitude.toFixed(6));
    try {
      const answer = await fetch(bar.dataset.near, { method: "POST", body, headers: { "X-CSRFToken": csrf() } });
      if (!answer.ok || answer.redirected) throw new Error();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      list.replaceChildren(...fresh.body.childNodes);
      showVisited();
      where.textContent = where.dataset.textFound.replace("{metres}", Math.round(coords.accuracy));
    } catch {
      where.textContent = where.dataset.textUnavailable;
    }
  }, (why) => { where.textContent = why; });
  bar.querySelector("[data-locate]").addEventListener("click", nearest);
  nearest();
  document.querySelector(".v-map").addEventListener("toggle", ({ target }) => {
    const canvas = target.querySelector(".g-map");
    if (!target.open || canvas.classList.contains("leaflet-container")) return;
    createMap(canvas, { plain: true });
  });
}

// One tap at a door of the round: checked in, and the form over the list, with or without signal.
function quick(dialog) {
  const form = dialog.querySelector("form");
  const title = dialog.querySelector("[data-title]");
  const { blank, door, name } = visitForm(form, {
    sent: (url) => { dialog.close(); mark(form.dataset.url, url); },
    waits: () => { dialog.close(); mark(form.dataset.url); window.scrollTo({ top: 0 }); },
  });
  // At once: the next door may be opened before the pause is over after which forms are kept.
  form.addEventListener("input", () => save(form));
  function open(stop) {
    const { household, address } = stop.dataset;
    blank();
    Object.assign(form.dataset, { visit: address, url: stop.querySelector("a").pathname, keep: dialog.dataset.keep + household });
    title.textContent = address;
    restore(form);
    name();
    door.now();
    dialog.showModal();
  }
  document.addEventListener("click", (event) => {
    // A page of its own cannot be had without signal; the form over the list can.
    const link = event.target.closest(navigator.onLine ? "[data-quick]" : ".v-stop a");
    const chosen = link?.closest(".v-stop:not(.v-did)");
    if (!chosen) return;
    event.preventDefault();
    open(chosen);
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
}

const bar = document.querySelector("[data-near]");
if (bar) round(bar);
const sheet = document.querySelector("dialog.v-sheet");
const form = document.querySelector("form[data-visit]");
if (sheet) {
  if (sheet.showModal) quick(sheet);
} else if (form) {
  form.dataset.url = location.pathname;
  visitForm(form, { sent: (url) => location.assign(url), waits: () => window.scrollTo({ top: 0 }) });
}
const later = document.querySelector("[data-need-form]");
if (later) quickNeeds(later);
