// The page of one case: filter a long select, choose a repeat.

// ---------- select[data-filter]: words above it narrow the options
function filterSelect(select) {
  if (select.dataset.ready) return;
  select.dataset.ready = "1";
  const all = [...select.children].map((node) => node.cloneNode(true));
  const box = document.createElement("input");
  box.type = "search";
  box.className = "g-input c-filter";
  box.placeholder = document.querySelector("[data-text-filter]")?.dataset.textFilter || "";
  box.setAttribute("aria-label", box.placeholder);
  box.autocomplete = "off";
  select.before(box);
  box.addEventListener("input", () => {
    const words = box.value.trim().toLowerCase();
    const chosen = select.value;
    const fits = (option) => option.textContent.toLowerCase().includes(words);
    const nodes = all.map((node) => {
      const copy = node.cloneNode(true);
      if (!words) return copy;
      if (copy.tagName === "OPTION") return !copy.value || fits(copy) ? copy : null;
      if (copy.label.toLowerCase().includes(words)) return copy;
      [...copy.children].forEach((option) => { if (!fits(option)) option.remove(); });
      return copy.children.length ? copy : null;
    }).filter(Boolean);
    select.replaceChildren(...nodes);
    const options = [...select.options].filter((option) => option.value);
    if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
    if (words && options.length && !options.some((option) => option.value === select.value)) select.value = options[0].value;
    if (select.value !== chosen) select.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // The words typed here are no field of the form.
  box.addEventListener("change", (event) => event.stopPropagation());
}

// ---------- a button that fills a field: choosing the case this one repeats, taking what was read
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-fill]");
  if (!button) return;
  const field = document.getElementById(button.dataset.fill);
  if (!field) return;
  const value = button.dataset.value;
  if (field.type === "checkbox") field.checked = true;
  else if (!("append" in button.dataset)) field.value = value;
  else if (!field.value.includes(value)) field.value = [field.value, value].filter(Boolean).join("\n");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  button.parentElement.querySelectorAll(`.chosen[data-fill="${button.dataset.fill}"]`).forEach((other) => other.classList.remove("chosen"));
  button.classList.add("chosen");
});

function start(root) {
  root.querySelectorAll("select[data-filter]").forEach(filterSelect);
}
start(document);
document.body.addEventListener("htmx:load", (event) => {
  start(event.detail.elt.parentElement || document);
  event.detail.elt.querySelector?.("[data-focus]")?.focus();
});
