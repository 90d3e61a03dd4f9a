// The visitor's phone: check-in at the door, the diary kept until it is sent, the round on the map.
import { createMap } from "./map.js";
import { locate } from "./position.js";
import { formOf, hand, mark, nearestFirst } from "./round.js";
import { blob, newKey, photoPicker, post, unsent } from "./unsent.js";

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

function visitForm(form, after) {
  const picker = photoPicker(form.querySelector("[data-shots]"));
  const press = document.querySelector(`[type=submit][form=${form.id}]`);
  const label = press.querySelector("span");
  const door = checkIn(form);
  const name = () => { label.textContent = form.elements.need.value.trim() ? press.dataset.textNeed : press.dataset.textPlain; };
  form.elements.need.addEventListener("input", name);
  quickNeeds(form);
  name();
  if (!form.elements.key.value) form.elements.key.value = newKey();

  function blank() {
    form.reset();
    form.querySelector(".g-kept")?.remove();
    form.querySelector("[data-refusal]").hidden = true;
    form.elements.key.value = newKey();
    door.undo();
    picker.clear();
    name();
  }
  function begin() {
    name();
    door.now();
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.classList.contains("busy")) return;
    press.classList.add("busy");
    const data = new FormData(form);
    const fields = Object.fromEntries([...CHECKED, ...TYPED].map((field) => [field, String(data.get(field) || "")]));
    fields.at ||= new Date().toISOString(); // it may be sent hours later
    const { name: title, url } = form.dataset;
    const draft = { key: form.elements.key.value, url, title, fields, photos: [...picker.photos] };
    await hand(form, draft, { waiting, send, blank, ...after });
    press.classList.remove("busy");
  });
  return { blank, begin };
}

function map({ target }) {
  const canvas = target.querySelector(".g-map");
  if (!target.open || canvas.classList.contains("leaflet-container")) return;
  createMap(canvas, { plain: true });
}

const bar = document.querySelector("[data-near]");
if (bar) {
  nearestFirst(bar);
  document.querySelector(".v-map").addEventListener("toggle", map);
}
formOf(document.querySelector("form#visit"), visitForm);
const later = document.querySelector("[data-need-form]");
if (later) quickNeeds(later);
