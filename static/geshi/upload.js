// Photo picker: each chosen photo is sent at once; the form then only carries its id.
// Markup and words: templates/parts/upload.html. Answer of the server: {"id": "…"} or {"error": "…"}.
import { csrf } from "./app.js";

const MAX_SIDE = 2048;
const SMALL_ENOUGH = 1.5 * 1024 * 1024;

async function shrink(file) {
  if (!window.createImageBitmap) return file;
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, MAX_SIDE / Math.max(image.width, image.height));
    if (scale === 1 && file.size <= SMALL_ENOUGH) return file;
    return (await draw(image, scale, 0.85)) || file;
  } catch {
    return file; // a format this browser cannot read: the server decides
  }
}

function draw(image, scale, quality) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.width * scale);
  canvas.height = Math.round(image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

async function thumbnail(file) {
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    const blob = await draw(image, Math.min(1, 192 / Math.min(image.width, image.height)), 0.6);
    return await new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = reject;
      reader.readAsDataURL(blob);
    });
  } catch {
    return "";
  }
}

// A page shown again after an error knows only ids; this tab still remembers what they looked like.
const remembered = (id) => `geshi:thumb:${id}`;
function remember(id, thumb) {
  try { sessionStorage.setItem(remembered(id), thumb); } catch { /* only a picture less */ }
}

function send(url, file, onProgress) {
  return new Promise((resolve, reject) => {
    const body = new FormData();
    body.append("photo", file, file.name || "photo.jpg");
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("X-CSRFToken", csrf());
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    request.onerror = () => reject(new Error(""));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no JSON: told as a failure below */ }
      const id = answer.id || answer.uuid;
      if (request.status < 300 && id) resolve(id);
      else reject(new Error(answer.error || ""));
    };
    request.send(body);
  });
}

export function uploader(box) {
  if (box.dataset.ready) return;
  box.dataset.ready = "1";
  const { uploadUrl: url, name = "photos", textFailed, textRemove, textRetry, textMax, textWait } = box.dataset;
  const max = Number(box.dataset.max || 6);
  const picker = box.querySelector("input[type=file]");
  const add = box.querySelector(".g-add");
  const error = box.querySelector(".g-upload-error");
  const form = box.closest("form");
  let busy = 0;
  let waiting = null;

  const count = () => box.querySelectorAll(".g-shot").length;
  const refresh = () => { add.hidden = count() >= max; };
  const tell = (message) => { error.textContent = message; error.hidden = !message; };
  const changed = () => form?.dispatchEvent(new Event("geshi:keep"));

  function button(icon, label, action) {
    const element = document.createElement("button");
    element.type = "button";
    element.setAttribute("aria-label", label);
    element.title = label;
    const sign = document.createElement("i");
    sign.className = `ti ti-${icon}`;
    element.append(sign);
    element.onclick = action;
    return element;
  }

  function shot(source) {
    const item = document.createElement("div");
    item.className = "g-shot";
    const image = document.createElement("img");
    image.alt = "";
    if (source) image.src = source;
    item.append(image, button("x", textRemove, () => { item.remove(); tell(""); refresh(); changed(); }));
    box.insertBefore(item, add);
    refresh();
    return item;
  }

  function own(item, id, thumb) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value: id });
    input.dataset.keepHidden = "";
    input.dataset.thumb = thumb;
    item.append(input);
  }

  async function upload(file) {
    const thumb = await thumbnail(file);
    const item = shot(thumb);
    const bar = document.createElement("progress");
    bar.max = 1;
    item.append(bar);
    busy += 1;
    try {
      const id = await send(url, await shrink(file), (part) => { bar.value = part; });
      own(item, id, thumb);
      remember(id, thumb);
      changed();
    } catch (problem) {
      item.classList.add("failed");
      tell(problem.message || textFailed);
      const again = button("refresh", textRetry, () => { item.remove(); tell(""); upload(file); });
      again.className = "g-retry";
      item.append(again);
    }
    bar.remove();
    busy -= 1;
    if (!busy && waiting) {
      const submitter = waiting;
      waiting = null;
      if (!box.querySelector(".failed")) form.requestSubmit(submitter === true ? undefined : submitter);
    }
  }

  box.querySelectorAll("input[type=hidden]").forEach((input) => { // given back by the server or kept on this phone
    const thumb = input.dataset.thumb || sessionStorage.getItem(remembered(input.value)) || "";
    input.dataset.keepHidden = "";
    input.dataset.thumb = thumb;
    shot(thumb).append(input);
  });
  picker.removeAttribute("name"); // with scripts the ids travel, not the files
  picker.addEventListener("change", () => {
    tell("");
    const files = [...picker.files];
    const room = max - count();
    if (files.length > room) tell(textMax);
    files.slice(0, room).forEach(upload);
    picker.value = "";
  });
  form?.addEventListener("submit", (event) => {
    if (!busy) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    waiting = event.submitter || true;
    tell(textWait);
  });
  refresh();
}

const start = (root) => root.querySelectorAll("[data-upload]").forEach(uploader);
start(document);
document.body.addEventListener("htmx:load", (event) => start(event.detail.elt.parentElement || document));
