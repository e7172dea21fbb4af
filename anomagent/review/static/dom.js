// Small helpers around the document. Every text goes in as text: nothing here ever parses HTML.

export const byId = (id) => document.getElementById(id);

/** A new element with properties and children; strings among the children become text nodes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Show `text` in `element`, and hide the element where there is none. */
export function tell(element, text) {
  (element.querySelector(":scope > span") ?? element).textContent = text ?? "";
  element.hidden = !text;
}

let turn = 0;

/** Say something to screen readers; the same words twice are read twice. */
export function announce(text) {
  turn += 1;
  byId("announcer").textContent = text + (turn % 2 ? "" : "\u00a0");
}

/** "1 answer", "3 answers". */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** A random id for an answer. `randomUUID` exists in secure contexts only. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
