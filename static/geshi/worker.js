// A worker's report: photos, position, quick words; kept on the phone until the server has it (unsent.js).
import { forget, toast } from "./app.js";
import { locate } from "./position.js";
import { Refused, blob, newKey, photoPicker, post, unsent, words } from "./unsent.js";

async function send(draft, put, again = true) {
  for (const photo of draft.photos) {
    if (photo.id) continue;
    const body = new FormData();
    body.append("photo", blob(photo.data), "photo.jpg");
    photo.id = (await post(words.uploadUrl, body)).id;
    await put(draft);
  }
  const body = new FormData();
  Object.entries(draft.fields).forEach(([name, value]) => body.append(name, value));
  body.set("key", draft.key);
  draft.photos.forEach((photo) => body.append("photos", photo.id));
  try {
    return await post(words.reportUrl, body);
  } catch (problem) {
    if (!again || !(problem instanceof Refused) || !problem.errors.photos) throw problem;
    draft.photos.forEach((photo) => { delete photo.id; }); // waited so long that the server threw them away
    return send(draft, put, false);
  }
}

const waiting = unsent("reports", { send, title: (draft) => draft.fields.text });

// ---------- the form
function position(form) {
  const where = form.querySelector("[data-where]");
  const { area } = form.elements;
  const say = (words) => { where.textContent = words; };
  const none = (why = "") => say([why, where.dataset.textNone.replace("{name}", area.selectedOptions?.[0].textContent || area.dataset.name)].filter(Boolean).join("\n"));
  let why = "";
  const fail = (reason) => { why = reason; none(why); };
  const found = (coords) => {
    form.elements.lat.value = coords.latitude.toFixed(6);
    form.elements.lon.value = coords.longitude.toFixed(6);
    say(where.dataset.textFound.replace("{metres}", Math.round(coords.accuracy)));
    form.dispatchEvent(new Event("change")); // the twins are looked for around the position
  };
  const ask = () => locate(where, found, fail);
  form.querySelector("[data-locate]").addEventListener("click", ask);
  area.addEventListener("change", () => { if (!form.elements.lat.value) none(why); });
  ask();
}

function quickWords(form) {
  form.querySelectorAll("[data-quick]").forEach((chip) => chip.addEventListener("click", () => {
    form.querySelectorAll("[data-quick]").forEach((other) => other.classList.toggle("active", other === chip));
    form.elements.category.value = chip.dataset.quick;
    const text = form.elements.text;
    const typed = ![...form.querySelectorAll("[data-quick]")].some((other) => other.dataset.phrase === text.value.trim());
    if (!text.value.trim() || !typed) text.value = chip.dataset.phrase;
    form.dispatchEvent(new Event("change"));
    text.focus();
  }));
}

function reportForm(form) {
  const picker = photoPicker(form.querySelector("[data-shots]"));
  position(form);
  quickWords(form);
  if (!form.elements.key.value) form.elements.key.value = newKey();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const press = event.submitter;
    if (press?.classList.contains("busy")) return;
    if (form.elements.text.value.trim().length < 2) { form.elements.text.focus(); form.elements.text.reportValidity(); return; }
    press?.classList.add("busy");
    const fields = {};
    ["text", "category", "address", "area", "lat", "lon", "same_as"].forEach((name) => { fields[name] = form.elements[name]?.value || ""; });
    if (form.elements.emergency?.checked) fields.emergency = "on";
    const draft = { key: form.elements.key.value, at: Date.now(), fields, photos: picker.photos.map((photo) => ({ ...photo })) };
    const kept = await waiting.put(draft);
    try {
      const { url } = await send(draft, waiting.put);
      await waiting.drop(draft.key);
      forget(form.dataset.keep);
      location.assign(url);
    } catch (problem) {
      press?.classList.remove("busy");
      toast(problem.message, problem instanceof Refused ? "error" : "warning");
      if (problem instanceof Refused) { await waiting.drop(draft.key); return; }
      if (!kept) return;
      const area = form.elements.area.value;
      form.reset();
      forget(form.dataset.keep); // it waits among the unsent ones now
      form.elements.area.value = area;
      form.elements.key.value = newKey();
      form.querySelector("#twins").replaceChildren();
      picker.clear();
      waiting.show();
      window.scrollTo({ top: 0 });
    }
  });
}

const form = document.querySelector("[data-worker-report]");
if (form) reportForm(form);
