// Demonstration only: one press on an account signs in with it.

const form = document.getElementById("sign-in");

for (const button of document.querySelectorAll("[data-username]")) {
  button.addEventListener("click", () => {
    form.elements.username.value = button.dataset.username;
    form.elements.password.value = button.dataset.password;
    form.requestSubmit();
  });
}
