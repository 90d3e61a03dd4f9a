// Shows the parts of a session form only where its outcome needs them, and prints a page.
const ENDING = ["stopped", "failed"];

document.querySelectorAll("form.m-form-record_step").forEach((form) => {
  const box = (name) => form.querySelector(`[name="${name}"]`)?.closest(".g-field");
  const look = () => {
    const outcome = form.querySelector('[name="outcome"]:checked')?.value;
    box("stopped_by")?.toggleAttribute("hidden", outcome !== "stopped");
    box("roads")?.toggleAttribute("hidden", !ENDING.includes(outcome));
  };
  form.addEventListener("change", look);
  look();
});

document.querySelectorAll("form.m-form-follow_up").forEach((form) => {
  const next = form.querySelector('[name="next_on"]')?.closest(".g-field");
  const look = () => {
    const performed = form.querySelector('[name="performed"]:checked')?.value;
    next?.toggleAttribute("hidden", !performed || performed === "yes");
  };
  form.addEventListener("change", look);
  look();
});

document.querySelectorAll("form.m-form-set_colour").forEach((form) => {
  const leader = form.querySelector('[name="leader"]')?.closest(".g-field");
  const look = () => {
    const colour = form.querySelector('[name="colour"]:checked')?.value;
    leader?.toggleAttribute("hidden", colour !== "red");
  };
  form.addEventListener("change", look);
  look();
});

document.querySelector("[data-print]")?.addEventListener("click", () => window.print());
