// The inspector's phone: what was found at a place, kept on the phone until it is sent.
import { formOf, hand, mark, nearestFirst } from "./round.js";
import { blob, newKey, photoPicker, post, unsent } from "./unsent.js";

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

function hazardForm(form, after) {
  const pickers = Object.fromEntries([...form.querySelectorAll("[data-shots]")].map((shots) => [shots.dataset.shots, photoPicker(shots)]));
  const lines = [...lineOf(form).options];
  const showDay = daysOf(form);
  if (!form.elements.key.value) form.elements.key.value = newKey();

  function blank() {
    form.reset();
    form.querySelector(".g-kept")?.remove();
    form.querySelector("[data-refusal]").hidden = true;
    form.elements.key.value = newKey();
    Object.values(pickers).forEach((picker) => picker.clear());
    lineOf(form).replaceChildren(...lines); // before the words kept of the next place come back
    showDay();
  }
  function begin(stop) {
    lines.forEach((line) => { if (line.value && line.dataset.inspection !== stop.dataset.inspection) line.remove(); });
    showDay();
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const press = event.submitter;
    if (!press || form.classList.contains("busy")) return;
    form.classList.add("busy");
    const data = new FormData(form);
    const fields = Object.fromEntries(TYPED.map((name) => [name, String(data.get(name) || "")]));
    fields.found = press.value;
    const { name, url, textClean } = form.dataset;
    const clean = press.value === "clean";
    const sides = clean ? [] : fields.fixed === "yes" ? ["before", "after"] : ["before"];
    const draft = {
      key: form.elements.key.value,
      url,
      title: `${name} · ${clean ? textClean : lineOf(form).selectedOptions[0]?.textContent || ""}`,
      fields,
      photos: sides.flatMap((side) => pickers[side].photos.map((photo) => ({ side, data: photo.data }))),
    };
    await hand(form, draft, { waiting, send, blank, ...after });
    form.classList.remove("busy");
  });
  return { blank, begin };
}

const bar = document.querySelector("[data-near]");
if (bar) nearestFirst(bar);
formOf(document.querySelector("form#hazard"), hazardForm);
