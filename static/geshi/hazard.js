// The inspector's phone: places by nearness, and what was found, kept on the phone until it is sent.
import { csrf, forget, restore, save, toast } from "./app.js";
import { Refused, blob, newKey, photoPicker, post, unsent } from "./unsent.js";

const TYPED = ["item", "text", "fixed", "result", "due_on"];

function send(draft) {
  const body = new FormData();
  body.set("found", draft.fields.found);
  TYPED.forEach((name) => body.append(name, draft.fields[name] || ""));
  body.set("key", draft.key);
  draft.photos.forEach((photo) => body.append(`${photo.side}_files`, blob(photo.data), "photo.jpg"));
  return post(draft.url, body);
}

const waiting = unsent("hazards", {
  send,
  title: (draft) => draft.title,
  body: ({ fields }) => [fields.text, fields.result].filter(Boolean).join("\n"),
  sent: (draft, url) => mark(draft.url, url),
});

// Address of a place → where it is shown, "" while it waits: the list may be put in anew.
const done = new Map();

function mark(place, url = "") {
  done.set(place, url);
  showDone();
}

function showDone() {
  const words = document.querySelector("dialog.v-sheet")?.dataset;
  if (!words) return;
  document.querySelectorAll(".v-stop").forEach((stop) => {
    const url = done.get(stop.querySelector("a").pathname);
    if (url === undefined) return;
    stop.classList.add("v-did");
    stop.querySelector("[data-quick-word]").textContent = url ? words.textSent : words.textWaits;
  });
}

const lineOf = (form) => form.querySelector("[name=item]");

/** Shows the line's owner and last day, and lets no later day be picked. */
function daysOf(form) {
  const item = lineOf(form); // elements.item is a method
  const day = form.elements.due_on;
  const told = form.querySelector("[data-told]");
  function show() {
    const { latest, duty } = item.selectedOptions[0]?.dataset || {};
    told.hidden = !latest;
    day.max = latest || "";
    if (!latest) return;
    told.textContent = told.dataset.text.replace("{owner}", duty).replace("{day}", latest);
    if (!day.value || day.value > latest) day.value = latest;
  }
  item.addEventListener("change", show);
  show();
  return show;
}

/** Brings the form to life: `sent(url)` and `waits()` say what the page does after a press. */
function hazardForm(form, { sent, waits }) {
  const pickers = Object.fromEntries([...form.querySelectorAll("[data-shots]")].map((shots) => [shots.dataset.shots, photoPicker(shots)]));
  const refusal = form.querySelector("[data-refusal]");
  const showDay = daysOf(form);
  if (!form.elements.key.value) form.elements.key.value = newKey();

  function blank() {
    form.reset();
    form.querySelector(".g-kept")?.remove();
    form.elements.key.value = newKey();
    refusal.hidden = true;
    Object.values(pickers).forEach((picker) => picker.clear());
    showDay();
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const press = event.submitter;
    if (!press || form.classList.contains("busy")) return;
    form.classList.add("busy");
    const clean = press.value === "clean";
    const data = new FormData(form);
    const fields = Object.fromEntries(TYPED.map((name) => [name, String(data.get(name) || "")]));
    fields.found = press.value;
    const sides = clean ? [] : fields.fixed === "yes" ? ["before", "after"] : ["before"];
    const photos = sides.flatMap((side) => pickers[side].photos.map((photo) => ({ side, data: photo.data })));
    const { hazard, url, keep, textClean } = form.dataset;
    const title = clean ? `${hazard} · ${textClean}` : `${hazard} · ${lineOf(form).selectedOptions[0]?.textContent || ""}`;
    const draft = { key: form.elements.key.value, url, title, fields, photos };
    const kept = await waiting.put(draft);
    try {
      const { url: there } = await send(draft);
      await waiting.drop(draft.key);
      forget(keep);
      blank();
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
      form.classList.remove("busy");
    }
  });
  return { blank, showDay };
}

// ---------- the round
function round(bar) {
  const where = bar.querySelector("[data-where]");
  const words = where.dataset;
  const list = document.getElementById("round");
  async function found(coords) {
    const body = new FormData(); // in the body, so that no log keeps where an inspector was
    body.append("lat", coords.latitude.toFixed(6));
    body.append("lon", coords.longitude.toFixed(6));
    try {
      const answer = await fetch(bar.dataset.near, { method: "POST", body, headers: { "X-CSRFToken": csrf() } });
      if (!answer.ok || answer.redirected) throw new Error();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      list.replaceChildren(...fresh.body.childNodes);
      showDone();
      where.textContent = words.textFound.replace("{metres}", Math.round(coords.accuracy));
    } catch {
      where.textContent = words.textUnavailable;
    }
  }
  function nearest() {
    if (!navigator.geolocation || !window.isSecureContext) { where.textContent = words.textInsecure; return; }
    where.textContent = words.textLooking;
    navigator.geolocation.getCurrentPosition(({ coords }) => found(coords), ({ code }) => {
      where.textContent = { 1: words.textDenied, 3: words.textTimeout }[code] || words.textUnavailable;
    }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
  }
  bar.querySelector("[data-locate]").addEventListener("click", nearest);
  nearest();
}

// One tap at a place of the round: the form over the list, with or without signal.
function overList(dialog) {
  const form = dialog.querySelector("form");
  const lines = [...lineOf(form).options];
  const { blank, showDay } = hazardForm(form, {
    sent: (url) => { dialog.close(); mark(form.dataset.url, url); },
    waits: () => { dialog.close(); mark(form.dataset.url); window.scrollTo({ top: 0 }); },
  });
  // At once: the next place may be opened before the pause is over after which forms are kept.
  form.addEventListener("input", () => save(form));
  function open(stop) {
    const { place, name, inspection } = stop.dataset;
    blank();
    Object.assign(form.dataset, { hazard: name, url: stop.querySelector("a").pathname, keep: dialog.dataset.keep + place });
    dialog.querySelector("[data-title]").textContent = name;
    lineOf(form).replaceChildren(...lines.filter((line) => !line.value || line.dataset.inspection === inspection));
    restore(form);
    showDay();
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
const form = document.querySelector("form[data-hazard]");
if (sheet) {
  if (sheet.showModal) overList(sheet);
} else if (form) {
  form.dataset.url = location.pathname;
  hazardForm(form, { sent: (url) => location.assign(url), waits: () => window.scrollTo({ top: 0 }) });
}
