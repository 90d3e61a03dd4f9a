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
  const refused = new Refused(data.error || words.textRefused || words.textNosignal);
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

// ---------- the shelf: IndexedDB, because localStorage is full after a dozen photos
let opened;
function shelf() {
  opened ||= new Promise((resolve, reject) => {
    const asked = indexedDB.open("geshi", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("unsent", { keyPath: "key" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  return opened;
}

// `act` gets the store and returns a request; answers its result once it is on the disk.
async function onShelf(mode, act) {
  const work = (await shelf()).transaction("unsent", mode, { durability: "strict" });
  return new Promise((resolve, reject) => {
    const asked = act(work.objectStore("unsent"));
    work.oncomplete = () => resolve(asked.result);
    work.onabort = () => reject(work.error);
  });
}

// ---------- the list of what waits
/**
 * `send(draft, put)` answers {code, url} or throws; `title(draft)` names it, `body(draft)` is what was written,
 * `sent(draft, url)` is told of one that waited. Returns {put, drop, show}.
 */
export function unsent(kind, { send, title, body = () => "", sent = () => {} }) {
  const mine = { kind, owner: words.owner || "" };
  async function everything() {
    const all = await onShelf("readonly", (store) => store.getAll()).catch(() => []);
    return all.filter((draft) => draft.owner === mine.owner).sort((one, other) => one.kept - other.kept);
  }
  const drafts = async () => (await everything()).filter((draft) => draft.kind === kind);
  /** Answers whether it is safe on this phone. */
  async function put(draft) {
    try {
      await onShelf("readwrite", (store) => store.put({ kept: Date.now(), ...draft, ...mine }));
      navigator.storage?.persist?.(); // so that the browser does not clear it away
      return true;
    } catch {
      toast(words.textFull, "error");
      return false;
    }
  }
  const drop = (key) => onShelf("readwrite", (store) => store.delete(key)).catch(() => {});

  let sending = false;
  async function sendAll(tell) {
    if (sending) return;
    sending = true;
    for (const draft of await drafts()) {
      try {
        const { code, url } = await send(draft, put);
        await drop(draft.key);
        sent(draft, url);
        toast(words.textSent.replace("{code}", code), "success");
      } catch (problem) {
        if (tell || problem instanceof Refused) toast(problem.message, "error");
        if (problem instanceof NoSignal) break;
        await put({ ...draft, refusal: problem.message });
      }
    }
    sending = false;
    show();
  }

  function line(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  }

  function item(draft) {
    const node = document.createElement("div");
    node.className = "w-draft";
    const photos = draft.photos.length ? ` · ${words.textPhotos.replace("{n}", draft.photos.length)}` : "";
    node.append(line("b", words.textUnsent), line("p", title(draft) + photos));
    // What the server will not take is not lost: it can be read here and written down elsewhere.
    if (draft.refusal) [draft.refusal, body(draft)].filter(Boolean).forEach((text) => node.append(line("p", text)));
    const row = document.createElement("div");
    row.className = "g-row";
    const discard = button(words.textDrop, "btn btn-danger", async () => { await drop(draft.key); show(); });
    discard.dataset.confirm = words.textDropAsk;
    row.append(button(words.textSend, "btn btn-primary", () => sendAll(true)), discard);
    node.append(row);
    return node;
  }

  async function show() {
    if (!box) return;
    const all = await everything();
    const items = all.filter((draft) => draft.kind === kind).map(item);
    const others = all.length - items.length;
    if (others) { // of another page, which sends them
      const link = line("a", words.textOther.replace("{n}", others));
      link.href = words.otherUrl;
      link.className = "w-draft";
      items.push(link);
    }
    box.hidden = !items.length;
    box.replaceChildren(...items);
  }

  show();
  window.addEventListener("online", () => sendAll(false));
  if (navigator.onLine) sendAll(false);
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
      } catch { toast(shots.dataset.textBad, "error"); } // no picture this phone can read
    }
    refresh();
  });
  return {
    photos,
    clear() { photos.length = 0; shots.querySelectorAll(".g-shot").forEach((node) => node.remove()); refresh(); },
  };
}
