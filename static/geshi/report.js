// The resident's report: emergency words are noticed while typing; the code can be printed.
// Words and numbers stand in data-words of the call buttons, see incidents/public/_sos.html.

const form = document.querySelector("form[data-report]");
const box = form?.querySelector("[data-sos]");

function watch(text) {
  let any = false;
  box.querySelectorAll("[data-words]").forEach((call) => {
    call.hidden = !call.dataset.words.split(" ").some((word) => text.includes(word));
    any ||= !call.hidden;
  });
  box.hidden = !any;
}

if (box) {
  const text = form.elements.text;
  text.addEventListener("input", () => watch(text.value));
  watch(text.value);
}

document.querySelectorAll("[data-print]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
