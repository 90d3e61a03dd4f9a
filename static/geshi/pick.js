// Finding people in a long list of boxes, and ticking a whole village at once.
const list = document.querySelector("[data-pick]");

if (list) {
  const search = list.querySelector("[data-pick-search]");
  const count = list.querySelector("[data-pick-count]");
  const boxes = [...list.querySelectorAll("input[type=checkbox]")];

  const tell = () => { count.textContent = boxes.filter((box) => box.checked).length; };

  search.addEventListener("input", () => {
    const wanted = search.value.trim();
    for (const box of boxes) box.closest("label").hidden = !box.dataset.words.includes(wanted);
    for (const part of list.querySelectorAll("details")) {
      part.hidden = !part.querySelector("label:not([hidden])");
      if (wanted) part.open = true;
    }
  });
  // Enter in the search field would send the form.
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

  list.addEventListener("click", (event) => {
    const all = event.target.closest("[data-pick-all]");
    if (!all) return;
    const shown = [...all.closest("details").querySelectorAll("label:not([hidden]) input")];
    const on = shown.some((box) => !box.checked);
    for (const box of shown) box.checked = on;
    tell();
  });
  list.addEventListener("change", tell);
  // Who was ticked before stays in sight.
  for (const part of list.querySelectorAll("details")) part.open = !!part.querySelector(":checked");
  tell();
}
