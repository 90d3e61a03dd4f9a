// The visitor's phone: the round by nearness, check-in at the door, the diary kept until it is sent.
import { csrf, forget, toast } from "./app.js";
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

// ---------- one visit
const FIELDS = ["at", "lat", "lon", "accuracy", "met", "diary", "need"];

function send(draft) {
  const body = new FormData();
  FIELDS.forEach((name) => body.append(name, draft.fields[name] || ""));
  body.set("key", draft.key);
  draft.photos.forEach((photo) => body.append("photo_files", blob(photo.data), "photo.jpg"));
  return post(draft.url, body);
}

const waiting = unsent("visits", { send, title: (draft) => draft.title });

function checkIn(form) {
  const panel = form.querySelector(".v-checkin");
  const where = panel.querySelector("[data-where]");
  const { at, lat, lon, accuracy } = form.elements;
  function told(words, metres) {
    const time = new Date(at.value).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    return words.replace("{time}", time).replace("{metres}", metres);
  }
  panel.querySelector("[data-checkin]").addEventListener("click", () => {
    at.value = new Date().toISOString();
    panel.classList.add("done");
    [lat, lon, accuracy].forEach((field) => { field.value = ""; });
    locate(where, (coords) => {
      lat.value = coords.latitude.toFixed(6);
      lon.value = coords.longitude.toFixed(6);
      accuracy.value = Math.round(coords.accuracy);
      where.textContent = told(where.dataset.textFound, accuracy.value);
    }, (why) => { where.textContent = `${told(where.dataset.textNone, "")}\n${why}`; });
  });
}

function quickNeeds(form) {
  const need = form.elements.need;
  form.querySelectorAll("[data-need]").forEach((chip) => chip.addEventListener("click", () => {
    need.value = chip.dataset.need;
    need.dispatchEvent(new Event("input", { bubbles: true }));
    need.focus();
  }));
}

function visitForm(form) {
  const picker = photoPicker(form.querySelector("[data-shots]"));
  const press = document.querySelector(".g-sticky-action [type=submit]");
  const label = press.querySelector("span");
  const name = () => { label.textContent = form.elements.need.value.trim() ? press.dataset.textNeed : press.dataset.textPlain; };
  form.elements.need.addEventListener("input", name);
  checkIn(form);
  quickNeeds(form);
  name();
  if (!form.elements.key.value) form.elements.key.value = newKey();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.classList.contains("busy")) return;
    press.classList.add("busy");
    const data = new FormData(form);
    const fields = Object.fromEntries(FIELDS.map((field) => [field, String(data.get(field) || "")]));
    fields.at ||= new Date().toISOString(); // it may be sent hours later
    const draft = { key: form.elements.key.value, url: location.pathname, title: form.dataset.visit, fields, photos: [...picker.photos] };
    const kept = waiting.put(draft);
    try {
      const { url } = await send(draft);
      waiting.drop(draft.key);
      forget(form.dataset.keep);
      location.assign(url);
    } catch (problem) {
      press.classList.remove("busy");
      toast(problem.message, problem instanceof Refused ? "error" : "warning");
      if (problem instanceof Refused) { waiting.drop(draft.key); return; }
      if (!kept) return;
      form.reset();
      ["at", "lat", "lon", "accuracy"].forEach((field) => { form.elements[field].value = ""; });
      forget(form.dataset.keep); // it waits among the unsent ones now
      form.elements.key.value = newKey();
      form.querySelector(".v-checkin").classList.remove("done");
      picker.clear();
      name();
      waiting.show();
      window.scrollTo({ top: 0 });
    }
  });
}

const bar = document.querySelector("[data-near]");
if (bar) round(bar);
const form = document.querySelector("[data-visit]");
if (form) visitForm(form);
const later = document.querySelector("[data-need-form]");
if (later) quickNeeds(later);
