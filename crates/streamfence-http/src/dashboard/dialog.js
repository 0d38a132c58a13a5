// Questions that stand before the page: for a key, and whether something is really meant.
import { h } from "./dom.js";

/** Asks for the key of the API. It stays until there is one. */
export function askForKey(why) {
  const input = h("input", { type: "password", required: true, autocomplete: "current-password", name: "key" });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { id: "dialog-title", text: "This server asks for a key" }),
    h("p", { text: "One of those under admin.keys of its configuration, with the scope read or admin. It is kept until this tab is closed." }),
    why ? h("p", { class: "answer wrong", role: "alert", text: why }) : null,
    h("label", {}, "Key", input),
    h("div", { class: "buttons" }, h("button", { class: "main", text: "Use it" })),
  );
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  // There is nothing to see without one.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  return opened(dialog, (resolve) => {
    form.addEventListener("submit", () => resolve(input.value));
  });
}

/** Asks whether something is meant: resolves with whether it is. */
export function confirm({ title, text, act }) {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title", text: title }),
      h("p", { text }),
      h(
        "div",
        { class: "buttons" },
        h("button", { value: "no", autofocus: true, text: "Cancel" }),
        h("button", { value: "yes", class: "danger", text: act }),
      ),
    ),
  );
  return opened(dialog, (resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

async function opened(dialog, answer) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  const answered = await new Promise(answer);
  dialog.close();
  dialog.remove();
  if (before?.isConnected) before.focus({ preventScroll: true });
  return answered;
}
