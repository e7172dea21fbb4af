// Single keys. They do nothing while somebody types, with a modifier, or, but for the viewer's, when held down.

import { recall, remember } from "./storage.js";

const SWITCH = "anomagent.keys";
const TYPING = "textarea, select, [contenteditable], input:not([type=checkbox]):not([type=button])";

export const keysAreOn = () => recall("localStorage", SWITCH) !== "off";
export const switchKeys = (on) => remember("localStorage", SWITCH, on ? "on" : "off");

/**
 * Call what `table` has for a key, by its name ("a", "+", "ArrowLeft"): a function, or { run, held: true } where holding
 * it down repeats it. A function that returns false leaves the key to the browser. `undo` answers to Ctrl-Z, too. In a
 * dialog only its own key works: it closes it.
 */
export function listen(table, undo) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const typing = event.target instanceof Element && event.target.closest(TYPING);
    if (event.repeat && event.key === "Enter" && !typing) event.preventDefault(); // a held Enter would click on and on
    if (typing) return;
    const dialog = document.querySelector("dialog[open]");
    if (isUndo(event) && !dialog) return act(event, undo);
    if (event.ctrlKey || event.altKey || event.metaKey || event.getModifierState("AltGraph") || !keysAreOn()) return;
    const key = nameOf(event, table);
    if (dialog) {
      if (key === dialog.dataset.key && !event.repeat) act(event, () => dialog.close());
      return;
    }
    const entry = table[key];
    if (entry && (entry.held || !event.repeat)) act(event, entry.run ?? entry);
  });
}

const isUndo = (event) =>
  (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && !event.repeat && event.key.toLowerCase() === "z";

function act(event, run) {
  if (run() !== false) event.preventDefault();
}

/** The key as the table names it; by its place on the keyboard where the layout has no Latin letters or digits there. */
function nameOf(event, table) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in table || /^[a-z]$/.test(key) || event.shiftKey) return key;
  return /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase() ?? key;
}
