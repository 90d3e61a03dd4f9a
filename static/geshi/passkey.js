// Passkeys: carries what the server asks to the browser's own dialogue, and the answer back.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const ids = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

async function ask(form, url) {
  const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  const answer = await fetch(url, { method: "POST", headers });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || body.detail || "");
  return body.publicKey;
}

async function make(form) {
  const asked = await ask(form, form.dataset.passkeyMake);
  const made = await navigator.credentials.create({ publicKey: {
    ...asked,
    challenge: bytes(asked.challenge),
    user: { ...asked.user, id: bytes(asked.user.id) },
    excludeCredentials: ids(asked.excludeCredentials),
  } });
  return plain(made, { attestationObject: text(made.response.attestationObject) });
}

async function use(form) {
  const asked = await ask(form, form.dataset.passkeyUse);
  const used = await navigator.credentials.get({ publicKey: {
    ...asked,
    challenge: bytes(asked.challenge),
    allowCredentials: ids(asked.allowCredentials),
  } });
  const { authenticatorData, signature, userHandle } = used.response;
  return plain(used, {
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    ...(userHandle ? { userHandle: text(userHandle) } : {}),
  });
}

const plain = (credential, response) => ({
  id: credential.id,
  rawId: text(credential.rawId),
  type: credential.type,
  clientExtensionResults: {},
  response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
});

// Without https there are none, nor where the address is a number; then nothing is said of them.
const named = !/^[\d.]+$|:/.test(location.hostname);
if (named && window.PublicKeyCredential && navigator.credentials) {
  for (const form of document.querySelectorAll("[data-passkey-make], [data-passkey-use]")) {
    form.hidden = false;
    const button = form.querySelector("button");
    button.addEventListener("click", async () => {
      const said = form.querySelector("[data-said]");
      said.textContent = "";
      button.disabled = true;
      try {
        form.elements.passkey.value = JSON.stringify(await (form.dataset.passkeyMake ? make(form) : use(form)));
        form.requestSubmit();
      } catch (error) {
        said.textContent = error instanceof DOMException || !error.message ? form.dataset.textFailed : error.message;
      } finally {
        button.disabled = false;
      }
    });
  }
}
