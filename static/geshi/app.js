// What every page shares: messages, confirmation, keeping typed text, times, errors of htmx.
// All words come from data-text-* attributes of <body>; nothing here is in any language.

const text = (name) => document.body.dataset[`text${name}`] || "";
export const csrf = () => document.querySelector("meta[name=csrf-token]")?.content || "";

// ---------- messages
const ICONS = { success: "circle-check", error: "alert-circle", warning: "alert-triangle" };

export function toast(message, level = "info") {
  const box = document.getElementById("toasts");
  if (!box || !message) return;
  if ([...box.children].some((old) => old.querySelector("span")?.textContent === message)) return;
  const item = document.createElement("div");
  item.className = `g-toast g-toast-${level}`;
  item.setAttribute("role", level === "error" ? "alert" : "status");
  const icon = document.createElement("i");
  icon.className = `ti ti-${ICONS[level] || "info-circle"}`;
  icon.setAttribute("aria-hidden", "true");
  const words = document.createElement("span");
  words.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", text("Close"));
  const cross = document.createElement("i");
  cross.className = "ti ti-x";
  close.append(cross);
  item.append(icon, words, close);
  box.append(item);
  expire(item);
}

function expire(item) {
  if (item.classList.contains("g-toast-error")) return; // an error stays until it was read
  setTimeout(() => item.remove(), 7000);
}

document.querySelectorAll(".g-toast").forEach(expire);
document.body.addEventListener("toast", (event) => {
  const { text: message, level } = event.detail || {};
  toast(message, level);
});

// ---------- confirmation
function ask(message, { okLabel, danger }) {
  const dialog = document.createElement("dialog");
  if (!dialog.showModal) return Promise.resolve(window.confirm(message));
  dialog.className = "g-dialog";
  const words = document.createElement("p");
  words.textContent = message;
  const row = document.createElement("div");
  row.className = "g-actions";
  const cancel = document.createElement("button");
  cancel.className = "btn";
  cancel.textContent = text("Cancel");
  const ok = document.createElement("button");
  ok.className = danger ? "btn btn-danger" : "btn btn-primary";
  ok.textContent = okLabel || text("Ok");
  row.append(cancel, ok);
  dialog.append(words, row);
  document.body.append(dialog);
  return new Promise((resolve) => {
    cancel.onclick = () => dialog.close("");
    ok.onclick = () => dialog.close("ok");
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "ok");
    };
    dialog.showModal();
  });
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-confirm]");
  if (!target || target.dataset.confirmed) return;
  if (target.form && !target.form.checkValidity()) return; // the browser shows what is missing
  event.preventDefault();
  event.stopImmediatePropagation();
  const { confirm: message, confirmOk: okLabel } = target.dataset;
  ask(message, { okLabel, danger: target.classList.contains("btn-danger") }).then((yes) => {
    if (!yes) return;
    target.dataset.confirmed = "1";
    target.click();
    delete target.dataset.confirmed;
  });
}, true);

// ---------- small clicks: close a message, enlarge a photo, copy, leave a menu
document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest(".g-toast")?.remove();
  document.querySelectorAll("details.g-menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  const copy = event.target.closest("[data-copy]");
  if (copy && navigator.clipboard) {
    navigator.clipboard.writeText(copy.dataset.copy).then(() => toast(copy.dataset.copied, "success"));
  }
  const link = event.target.closest("a[data-lightbox]");
  if (!link || event.ctrlKey || event.metaKey || !HTMLDialogElement.prototype.showModal) return;
  event.preventDefault();
  const dialog = document.createElement("dialog");
  dialog.className = "g-lightbox";
  const image = document.createElement("img");
  image.src = link.href;
  image.alt = link.querySelector("img")?.alt || "";
  dialog.append(image);
  dialog.onclick = () => dialog.close();
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.g-menu[open]").forEach((menu) => { menu.open = false; });
});
document.addEventListener("change", (event) => {
  event.target.closest("form[data-autosubmit]")?.requestSubmit();
});

// ---------- nothing typed is lost: form[data-keep="key"]
const KEEP_DAYS = 7;
const slot = (key) => `geshi:keep:${key}`;
const kept = (form) => [...form.elements].filter((field) =>
  field.name && field.name !== "csrfmiddlewaretoken" && field.dataset.keepSkip === undefined
  && !["file", "password", "submit", "button"].includes(field.type)
  && (field.type !== "hidden" || field.dataset.keepHidden !== undefined));

/** Keeps what is typed into the form now, under its key. */
export function save(form) {
  const values = kept(form).map((field) => ({
    name: field.name,
    value: field.value,
    on: ["checkbox", "radio"].includes(field.type) ? field.checked : undefined,
    many: field.type === "select-multiple" ? [...field.selectedOptions].map((o) => o.value) : undefined,
    thumb: field.dataset.thumb,
  }));
  try {
    localStorage.setItem(slot(form.dataset.keep), JSON.stringify({ at: Date.now(), values }));
  } catch { /* a full or forbidden store must not stop anybody from typing */ }
}

function put(form, saved) {
  if (saved.thumb !== undefined) {
    const box = form.querySelector("[data-upload]");
    if (!box || [...box.querySelectorAll("input[type=hidden]")].some((i) => i.value === saved.value)) return false;
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name: saved.name, value: saved.value });
    input.dataset.thumb = saved.thumb;
    input.dataset.keepHidden = "";
    box.append(input);
    return true;
  }
  const fields = kept(form).filter((field) => field.name === saved.name);
  if (saved.on !== undefined) {
    const field = fields.find((f) => f.value === saved.value);
    if (!field || field.checked === saved.on) return false;
    field.checked = saved.on;
    return true;
  }
  const field = fields[0];
  if (!field) return false;
  if (saved.many) {
    [...field.options].forEach((option) => { option.selected = saved.many.includes(option.value); });
    return saved.many.length > 0;
  }
  if (field.value === saved.value) return false;
  field.value = saved.value;
  return saved.value !== "";
}

/** Puts back what was typed into the form under its key, if anything. */
export function restore(form) {
  const key = slot(form.dataset.keep);
  let data = null;
  try { data = JSON.parse(localStorage.getItem(key)); } catch { /* unreadable: start empty */ }
  if (!data) return;
  if (Date.now() - data.at > KEEP_DAYS * 864e5) { forget(form.dataset.keep); return; }
  if (form.dataset.bound !== undefined || form.querySelector(".g-invalid, .g-alert.g-over")) return; // the server gave it back
  const changed = data.values.map((saved) => put(form, saved)).some(Boolean);
  if (!changed) return;
  const note = document.createElement("div");
  note.className = "g-kept";
  const words = document.createElement("span");
  words.textContent = text("Restored");
  const discard = document.createElement("button");
  discard.type = "button";
  discard.textContent = text("Discard");
  discard.onclick = () => { forget(form.dataset.keep); location.reload(); };
  note.append(words, discard);
  form.prepend(note);
}

export function forget(key) {
  localStorage.removeItem(slot(key));
}

export function keepForms(root = document) {
  root.querySelectorAll("[data-clear-keep]").forEach((mark) => forget(mark.dataset.clearKeep));
  root.querySelectorAll("form[data-keep]").forEach((form) => {
    if (form.dataset.keeping) return;
    form.dataset.keeping = "1";
    restore(form);
    let timer = 0;
    const now = () => { clearTimeout(timer); timer = 0; save(form); };
    const later = () => { clearTimeout(timer); timer = setTimeout(now, 300); };
    form.addEventListener("input", later);
    form.addEventListener("change", later);
    form.addEventListener("geshi:keep", later);
    form.addEventListener("submit", now);
    window.addEventListener("pagehide", () => { if (timer) now(); });
  });
}

// ---------- one press, one submission; the back button brings the form back to life
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === "get" || form.method === "dialog") return;
  // Its answer is a file: the page stays.
  if ("many" in form.dataset) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  (event.submitter || form.querySelector("[type=submit]"))?.classList.add("busy");
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; });
  document.querySelectorAll(".btn.busy").forEach((button) => button.classList.remove("busy"));
});

// ---------- times
const UNITS = [["year", 31536e3], ["month", 2592e3], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function relativeTimes(root = document) {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || undefined, { numeric: "auto" });
  root.querySelectorAll("time[data-relative]").forEach((time) => {
    const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) return;
    if (!time.title) time.title = time.textContent.trim();
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || ["second", 1];
    time.textContent = unit === "second" ? format.format(0, "minute") : format.format(Math.trunc(seconds / size), unit);
  });
}
setInterval(relativeTimes, 30000);

// ---------- a value shown in full goes away after the time the server said
function hideAgain(root = document) {
  root.querySelectorAll("[data-reveal][data-expires]:not([data-ready])").forEach((box) => {
    box.dataset.ready = "1";
    setTimeout(() => {
      box.querySelectorAll("[data-clear]").forEach((node) => node.remove());
      box.querySelectorAll("[data-masked]").forEach((node) => { node.hidden = false; });
    }, Number(box.dataset.expires) * 1000);
  });
}

// ---------- htmx
document.body.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrf();
});
const pressed = (event) => {
  const source = event.detail.requestConfig?.triggeringEvent?.submitter || event.detail.elt;
  return source?.classList?.contains("btn") ? source : null;
};
document.body.addEventListener("htmx:beforeRequest", (event) => pressed(event)?.classList.add("busy"));
document.body.addEventListener("htmx:afterRequest", (event) => pressed(event)?.classList.remove("busy"));
// What was taken is not typed any more; the same form may stand in the answer, and starts empty.
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const { keep } = detail.requestConfig.elt.dataset;
  if (keep && detail.xhr.status < 400) forget(keep);
});
// What only helps, and nobody asked for, fails in silence: the form goes on without it.
const quiet = (event) => event.detail.elt?.dataset?.quiet !== undefined;
const failed = (event) => { if (!quiet(event)) toast(text("Network"), "error"); };
document.body.addEventListener("htmx:sendError", failed);
document.body.addEventListener("htmx:timeout", failed);
document.body.addEventListener("htmx:responseError", (event) => {
  if (quiet(event)) return;
  const { status, responseText } = event.detail.xhr;
  let said = "";
  try { said = JSON.parse(responseText).error; } catch { /* not our JSON: use the words for the status */ }
  const known = { 401: "Forbidden", 403: "Forbidden", 404: "Missing", 429: "Toomany" };
  toast(said || text(known[status] || "Server"), "error");
});
document.body.addEventListener("htmx:load", (event) => {
  const root = event.detail.elt;
  if (root === document.body) return;
  keepForms(root.parentElement || root);
  relativeTimes(root.parentElement || root);
  hideAgain(root.parentElement || root);
  root.querySelectorAll?.(".g-toast").forEach(expire);
});

keepForms();
relativeTimes();
hideAgain();
document.querySelector("[data-focus]")?.focus();
