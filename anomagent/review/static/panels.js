// Dialogs: opened modally, so that the browser keeps the focus inside and gives it back afterwards.

import { byId } from "./dom.js";

/** Let the button `open-ID` and the key open the dialog ID; `before` runs first and may be asynchronous. */
export function panel(id, key, before = () => {}) {
  const dialog = byId(id);
  if (key) dialog.dataset.key = key;
  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    if (before(dialog) === false) return;
    dialog.showModal();
  };
  byId(`open-${id}`)?.addEventListener("click", open);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  return open;
}
