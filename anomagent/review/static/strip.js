// What was answered last: the reasons for a rejection, its note, and undo.

import { SAID } from "./card.js";
import { byId } from "./dom.js";

export class Strip {
  /** `events`: reason(slug), undo(). */
  constructor(events) {
    this.about = null;
    this.buttons = [...byId("reasons").querySelectorAll("[data-reason]")];
    for (const button of this.buttons) button.addEventListener("click", () => events.reason(button.dataset.reason));
    byId("undo").addEventListener("click", events.undo);
  }

  /** Show an answer, { item, verdict, reason, note }, or nothing. */
  show(answer) {
    this.about = answer;
    if (answer === null && byId("strip").contains(document.activeElement)) byId("card").focus({ preventScroll: true });
    byId("strip").hidden = answer === null;
    if (answer === null) return;
    const { item, verdict, reason, note } = answer;
    byId("strip").dataset.verdict = verdict;
    byId("strip-verdict").textContent = SAID[verdict];
    byId("strip-name").textContent = item.name;
    byId("reasons").hidden = verdict !== "REJECT";
    byId("open-last-note").classList.toggle("filled", Boolean(note));
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.reason === reason));
  }

  /** The reason of the key 1 to 5; null where there is none, or no rejection. */
  reasonOf(number) {
    return this.about?.verdict === "REJECT" ? (this.buttons[number - 1]?.dataset.reason ?? null) : null;
  }

  titleOf(reason) {
    return this.buttons.find((button) => button.dataset.reason === reason).dataset.title;
  }
}
