// Notes: on the candidate that is shown, sent with its answer, and on the answer before, sent when its dialog closes.

import { byId } from "./dom.js";
import { panel } from "./panels.js";

export class Note {
  constructor() {
    this.box = byId("note-box");
    this.field = byId("note");
    this.opener = byId("open-note");
    this.opener.addEventListener("click", () => (this.box.hidden ? this.open() : this.close()));
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.preventDefault();
      this.close();
    });
    this.field.addEventListener("input", () => this.#mark());
  }

  open() {
    this.box.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.field.focus();
    this.box.scrollIntoView({ block: "nearest" });
  }

  /** Close the field; what is written stays. */
  close() {
    const inside = this.box.contains(document.activeElement);
    this.box.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    if (inside) this.opener.focus();
  }

  /** Another candidate is shown, with what is already noted on it. */
  reset(text) {
    this.close();
    this.field.value = text ?? "";
    this.#mark();
  }

  /** The note, null where there is none. */
  get text() {
    return tidy(this.field.value);
  }

  #mark() {
    this.opener.classList.toggle("filled", this.text !== null);
  }
}

/** The dialog for the note on the answer before; `strip` knows that answer, `save(text)` is called on a change. */
export function lastNote(strip, save) {
  const [dialog, field] = [byId("last-note"), byId("last-note-text")];
  let about = null;
  dialog.addEventListener("close", () => {
    const text = tidy(field.value);
    if (about && text !== (about.note ?? null)) save(text);
  });
  return panel("last-note", "m", () => {
    about = strip.about;
    if (about === null) return false;
    byId("last-note-about").textContent = about.item.name;
    field.value = about.note ?? "";
    return true;
  });
}

const tidy = (text) => text.trim().toWellFormed?.() || text.trim() || null;
