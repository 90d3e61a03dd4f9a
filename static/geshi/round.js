// A round on the phone, of doors or of places to inspect: nearest first, a form over the list, each thing
// done kept on the phone until the server has it, and marked in the list.
import { csrf, forget, restore, save, toast } from "./app.js";
import { locate } from "./position.js";
import { Refused } from "./unsent.js";

const list = document.getElementById("round");
const sheet = document.querySelector("dialog.v-sheet");

// ---------- what was done already
// Address of a stop → where it is shown now, "" while it waits: the list may be put in anew.
const done = new Map();

/** Notes that the stop is done, or waits when there is no `url` yet. */
export function mark(stop, url = "") {
  done.set(stop, url);
  showDone();
}

function showDone() {
  if (!sheet) return;
  document.querySelectorAll(".v-stop").forEach((stop) => {
    stop.dataset.stop ||= stop.querySelector("a").pathname;
    const url = done.get(stop.dataset.stop);
    if (url === undefined) return;
    stop.classList.add("v-did");
    stop.querySelector("[data-quick] span").textContent = url ? sheet.dataset.textSent : sheet.dataset.textWaits;
    if (url) stop.querySelectorAll("a").forEach((link) => { link.href = url; });
  });
}

// ---------- nearest first
export function nearestFirst(bar) {
  const where = bar.querySelector("[data-where]");
  const words = where.dataset;
  async function order(coords) {
    const body = new FormData(); // in the body, so that no log keeps where somebody was
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
  const ask = () => locate(where, order, (why) => { where.textContent = why; });
  bar.querySelector("[data-locate]").addEventListener("click", ask);
  ask();
}

// ---------- sending
/**
 * Keeps the draft on the phone, sends it, and says in the form what became of it: `sent(url)`, or `waits()`
 * without signal. `waiting` and `send` are those of unsent.js; `blank` readies the form for the next stop.
 */
export async function hand(form, draft, { waiting, send, blank, sent, waits }) {
  const { keep } = form.dataset;
  const kept = await waiting.put(draft);
  try {
    const { url } = await send(draft);
    await waiting.drop(draft.key);
    forget(keep);
    blank();
    sent(url);
  } catch (problem) {
    if (problem instanceof Refused) {
      await waiting.drop(draft.key);
      const refusal = form.querySelector("[data-refusal]");
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
  }
}

// ---------- the form, over the list or on a page of its own
// One tap at a stop opens it over the list, with or without signal.
function overList(form, bring) {
  const { blank, begin } = bring(form, {
    sent: (url) => { sheet.close(); mark(form.dataset.url, url); },
    waits: () => { sheet.close(); mark(form.dataset.url); window.scrollTo({ top: 0 }); },
  });
  // At once: the next stop may be opened before the pause is over after which forms are kept.
  form.addEventListener("input", () => save(form));
  function open(stop) {
    const { name, key } = stop.dataset;
    blank();
    Object.assign(form.dataset, { name, url: stop.querySelector("a").pathname, keep: sheet.dataset.keep + key });
    sheet.querySelector("[data-title]").textContent = name;
    restore(form);
    begin(stop);
    sheet.showModal();
  }
  document.addEventListener("click", (event) => {
    // A page of its own cannot be had without signal; the form over the list can.
    const link = event.target.closest(navigator.onLine ? "[data-quick]" : ".v-stop a");
    const chosen = link?.closest(".v-stop:not(.v-did)");
    if (!chosen) return;
    event.preventDefault();
    open(chosen);
  });
  sheet.querySelector("[data-close]").addEventListener("click", () => sheet.close());
}

/** `bring(form, {sent, waits})` brings it to life; `blank()` empties it, `begin(stop)` readies it for a stop. */
export function formOf(form, bring) {
  if (sheet) {
    if (sheet.showModal) overList(sheet.querySelector("form"), bring);
  } else if (form) {
    form.dataset.url = location.pathname;
    bring(form, { sent: (url) => location.assign(url), waits: () => window.scrollTo({ top: 0 }) });
  }
}
