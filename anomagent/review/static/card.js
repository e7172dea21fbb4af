// The candidate's texts.

import { byId, make, tell } from "./dom.js";

/** Up to which severity the words hold; the same words as in the classic text form. */
const WORDS = [
  [0, "completely implausible"],
  [10, "extremely unnatural"],
  [30, "clearly unnatural"],
  [50, "noticeably unnatural"],
  [70, "mildly unnatural"],
  [90, "barely noticeable"],
  [99, "nearly realistic"],
  [100, "fully realistic"],
];
export const SAID = { ACCEPT: "Accepted", REJECT: "Rejected", UNSURE: "Unsure" };

export const wordsFor = (severity) => WORDS.find(([most]) => severity <= most)[1];

/** Write `item` into the card; `was` is this person's own answer so far, or null. */
export function writeCard(item, was) {
  byId("item-name").textContent = item.name;
  byId("item-phenomenon").textContent = item.phenomenon;
  byId("item-reasoning").textContent = item.reasoning;
  byId("severity-number").textContent = `${item.severity}/100`;
  byId("severity-words").textContent = wordsFor(item.severity);
  byId("severity-mark").style.left = `${item.severity}%`;
  byId("item-chips").replaceChildren(...chips(item));
  const source = item.source === null ? "" : `Source: ${item.source} · `;
  byId("item-source").textContent = `${source}${item.image.name} · ${item.image.width} × ${item.image.height}`;
  tell(byId("item-mine"), was && `Your answer was: ${describe(was)}`);
  byId("card").scrollTop = 0; // on a wide screen the card scrolls, on a narrow one the page
  scrollTo(0, Math.min(scrollY, byId("work").offsetTop));
}

function chips(item) {
  const texts = [item.kind.title, ...item.objects];
  const all = texts.map((text) => make("span", { className: "chip", dir: "auto", textContent: text }));
  if (item.capacity === "adjudicator") {
    all.unshift(make("span", { className: "chip strong", textContent: "You decide: others are unsure or disagree" }));
  }
  return all;
}

/** An answer in words. */
export function describe({ verdict, reason }) {
  const title = reason && byId("reasons").querySelector(`[data-reason="${CSS.escape(reason)}"]`)?.dataset.title;
  return title ? `${SAID[verdict]} (${title})` : (SAID[verdict] ?? verdict);
}
