// A worker's report: photos, position, quick words; kept on the phone until the server has it.
// Every report has its own UUID, so that sending it twice makes one case. Words: templates/incidents/_drafts.html.
import { csrf, forget, toast } from "./app.js";

const MAX_PHOTOS = 6;
const MAX_SIDE = 1280;
const PATIENCE = 60000; // ms; a weak signal may hang for ever without an error
const box = document.querySelector("[data-drafts]");
const words = box?.dataset || {};
const store = `geshi:reports:${words.owner || ""}`;

// ---------- what waits on this phone
function drafts() {
  try { return JSON.parse(localStorage.getItem(store)) || []; } catch { return []; }
}
function keep(list) {
  try {
    localStorage.setItem(store, JSON.stringify(list));
    return true;
  } catch {
    toast(words.textFull, "error");
    return false;
  }
}
const put = (draft) => keep([...drafts().filter((old) => old.key !== draft.key), draft]);
const drop = (key) => keep(drafts().filter((old) => old.key !== key));

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// ---------- sending
class Refused extends Error {}
class NoSignal extends Error {}

async function post(url, body) {
  let answer;
  try {
    answer = await fetch(url, {
      method: "POST", body, headers: { "X-CSRFToken": csrf(), Accept: "application/json" },
      signal: AbortSignal.timeout?.(PATIENCE),
    });
  } catch {
    throw new NoSignal(words.textNosignal);
  }
  if (answer.redirected || answer.status === 403) throw new NoSignal(words.textSignin);
  let data = {};
  try { data = await answer.json(); } catch { /* not our JSON: told below by the status */ }
  if (answer.ok) return data;
  if (answer.status >= 500 || answer.status === 429) throw new NoSignal(data.error || words.textNosignal);
  const refused = new Refused(data.error || "");
  refused.errors = data.errors || {};
  throw refused;
}

function blob(dataUrl) {
  const [head, body] = dataUrl.split(",");
  const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5, head.indexOf(";")) });
}

async function send(draft, again = true) {
  for (const photo of draft.photos) {
    if (photo.id) continue;
    const body = new FormData();
    body.append("photo", blob(photo.data), "photo.jpg");
    photo.id = (await post(words.uploadUrl, body)).id;
    put(draft);
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
    return send(draft, false);
  }
}

let sending = false;
async function sendAll(tell) {
  if (sending) return;
  sending = true;
  for (const draft of drafts()) {
    try {
      const { code } = await send(draft);
      drop(draft.key);
      toast(words.textSent.replace("{code}", code), "success");
    } catch (problem) {
      if (tell || problem instanceof Refused) toast(problem.message, "error");
      if (problem instanceof NoSignal) break;
    }
  }
  sending = false;
  show();
}

function button(label, className, action) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = className;
  element.textContent = label;
  element.onclick = action;
  return element;
}

function show() {
  if (!box) return;
  const list = drafts();
  box.hidden = !list.length;
  box.replaceChildren(...list.map((draft) => {
    const item = document.createElement("div");
    item.className = "w-draft";
    const title = document.createElement("b");
    title.textContent = words.textUnsent;
    const text = document.createElement("p");
    text.textContent = draft.fields.text;
    if (draft.photos.length) text.textContent += ` · ${words.textPhotos.replace("{n}", draft.photos.length)}`;
    const row = document.createElement("div");
    row.className = "g-row";
    const discard = button(words.textDrop, "btn btn-danger", () => { drop(draft.key); show(); });
    discard.dataset.confirm = words.textDropAsk;
    row.append(button(words.textSend, "btn btn-primary", () => sendAll(true)), discard);
    item.append(title, text, row);
    return item;
  }));
}

// ---------- photos, held by the page until they are sent
async function small(file) {
  const image = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, MAX_SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.72);
}

function photoPicker(shots) {
  const add = shots.querySelector(".g-add");
  shots.dataset.ready = "1"; // without scripts the plain field shows what was chosen
  const photos = [];
  const refresh = () => {
    shots.classList.toggle("empty", !photos.length);
    add.hidden = photos.length >= MAX_PHOTOS;
  };
  function draw(photo) {
    const item = document.createElement("div");
    item.className = "g-shot";
    const image = document.createElement("img");
    image.src = photo.data;
    image.alt = "";
    const remove = button("×", "", () => { photos.splice(photos.indexOf(photo), 1); item.remove(); refresh(); });
    remove.setAttribute("aria-label", shots.dataset.textRemove);
    item.append(image, remove);
    shots.insertBefore(item, add);
  }
  shots.querySelector("input[type=file]").addEventListener("change", async (event) => {
    const files = [...event.target.files].slice(0, MAX_PHOTOS - photos.length);
    event.target.value = "";
    for (const file of files) {
      try {
        const photo = { data: await small(file) };
        photos.push(photo);
        draw(photo);
      } catch { /* no picture this phone can read */ }
    }
    refresh();
  });
  return {
    photos,
    clear() { photos.length = 0; shots.querySelectorAll(".g-shot").forEach((node) => node.remove()); refresh(); },
  };
}

// ---------- the form
function position(form) {
  const where = form.querySelector("[data-where]");
  const { area } = form.elements;
  const say = (words) => { where.textContent = words; };
  const none = (why = "") => say([why, where.dataset.textNone.replace("{name}", area.selectedOptions?.[0].textContent || area.dataset.name)].filter(Boolean).join("\n"));
  let why = "";
  const fail = (reason) => { why = reason; none(why); };
  const locate = () => {
    if (!navigator.geolocation || !window.isSecureContext) { fail(where.dataset.textInsecure); return; }
    say(where.dataset.textLooking);
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      form.elements.lat.value = coords.latitude.toFixed(6);
      form.elements.lon.value = coords.longitude.toFixed(6);
      say(where.dataset.textFound.replace("{metres}", Math.round(coords.accuracy)));
    }, ({ code }) => {
      const { textDenied, textUnavailable, textTimeout } = where.dataset;
      fail({ 1: textDenied, 3: textTimeout }[code] || textUnavailable);
    }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
  };
  form.querySelector("[data-locate]").addEventListener("click", locate);
  area.addEventListener("change", () => { if (!form.elements.lat.value) none(why); });
  locate();
}

function quickWords(form) {
  form.querySelectorAll("[data-quick]").forEach((chip) => chip.addEventListener("click", () => {
    form.querySelectorAll("[data-quick]").forEach((other) => other.classList.toggle("active", other === chip));
    form.elements.category.value = chip.dataset.quick;
    const text = form.elements.text;
    const typed = ![...form.querySelectorAll("[data-quick]")].some((other) => other.dataset.phrase === text.value.trim());
    if (!text.value.trim() || !typed) text.value = chip.dataset.phrase;
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
    ["text", "category", "address", "area", "lat", "lon"].forEach((name) => { fields[name] = form.elements[name]?.value || ""; });
    const draft = { key: form.elements.key.value, at: Date.now(), fields, photos: picker.photos.map((photo) => ({ ...photo })) };
    const kept = put(draft);
    try {
      const { url } = await send(draft);
      drop(draft.key);
      forget(form.dataset.keep);
      location.assign(url);
    } catch (problem) {
      press?.classList.remove("busy");
      toast(problem.message, problem instanceof Refused ? "error" : "warning");
      if (problem instanceof Refused) { drop(draft.key); return; }
      if (!kept) return;
      const area = form.elements.area.value;
      form.reset();
      forget(form.dataset.keep); // it waits among the unsent ones now
      form.elements.area.value = area;
      form.elements.key.value = newKey();
      picker.clear();
      show();
      window.scrollTo({ top: 0 });
    }
  });
}

show();
const form = document.querySelector("[data-worker-report]");
if (form) reportForm(form);
window.addEventListener("online", () => sendAll(false));
if (navigator.onLine && drafts().length) sendAll(false);
