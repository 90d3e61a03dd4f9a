// What waits on this phone until the server has it: reports and visits alike; and the photos in them.
// Each has its own UUID, so that sending it twice stores one. Words: the data-text-* of [data-drafts].
import { csrf, toast } from "./app.js";

const MAX_PHOTOS = 6;
const MAX_SIDE = 1280;
const PATIENCE = 60000; // ms; a weak signal may hang for ever without an error
const box = document.querySelector("[data-drafts]");
export const words = box?.dataset || {};

export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// ---------- sending
export class Refused extends Error {}
export class NoSignal extends Error {}

export async function post(url, body) {
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

export function blob(dataUrl) {
  const [head, body] = dataUrl.split(",");
  const bytes = Uint8Array.from(atob(body), (char) => char.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5, head.indexOf(";")) });
}

function button(label, className, action) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = className;
  element.textContent = label;
  element.onclick = action;
  return element;
}

// ---------- the list of what waits
/** `send(draft, put)` answers {code} or throws; `title(draft)` names it. Returns {put, drop, show}. */
export function unsent(kind, { send, title }) {
  const store = `geshi:${kind}:${words.owner || ""}`;
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

  let sending = false;
  async function sendAll(tell) {
    if (sending) return;
    sending = true;
    for (const draft of drafts()) {
      try {
        const { code } = await send(draft, put);
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

  function show() {
    if (!box) return;
    const list = drafts();
    box.hidden = !list.length;
    box.replaceChildren(...list.map((draft) => {
      const item = document.createElement("div");
      item.className = "w-draft";
      const head = document.createElement("b");
      head.textContent = words.textUnsent;
      const text = document.createElement("p");
      text.textContent = title(draft);
      if (draft.photos.length) text.textContent += ` · ${words.textPhotos.replace("{n}", draft.photos.length)}`;
      const row = document.createElement("div");
      row.className = "g-row";
      const discard = button(words.textDrop, "btn btn-danger", () => { drop(draft.key); show(); });
      discard.dataset.confirm = words.textDropAsk;
      row.append(button(words.textSend, "btn btn-primary", () => sendAll(true)), discard);
      item.append(head, text, row);
      return item;
    }));
  }

  show();
  window.addEventListener("online", () => sendAll(false));
  if (navigator.onLine && drafts().length) sendAll(false);
  return { put, drop, show };
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

export function photoPicker(shots) {
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
