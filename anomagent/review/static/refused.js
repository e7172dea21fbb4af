// The answers that the server refused: shown until they are sent after all, or discarded by the person.

import { describe } from "./card.js";
import { announce, byId, counted, make, tell } from "./dom.js";
import { panel } from "./panels.js";

/** `again` is called after an answer was put back to be sent. Returns a function that shows how many there are. */
export function refusedAnswers(outbox, again) {
  const list = byId("refused-list");

  /** Show what there is and what was `said` of the last one; closed where there is nothing to read. */
  const draw = (said = null) => {
    list.replaceChildren(...outbox.refused().map(row));
    tell(byId("refused-said"), said);
    if (list.childElementCount === 0 && !said) byId("refused").close();
    count();
  };

  const act = (label, run) => {
    const button = make("button", { type: "button", textContent: label });
    button.addEventListener("click", () => {
      draw(run());
      announce(`${label}: done.`);
      byId("refused").querySelector("[data-close]").focus(); // the button is gone
    });
    return button;
  };

  const retry = (entry) => {
    if (!outbox.retry(entry)) return `Not sent: you have answered “${entry.about.name}” again since then, and that counts.`;
    again();
    return null;
  };

  const row = (entry) => {
    const what = entry.kind === "undo" ? "Undo" : entry.verdict ? describe(entry) : "An answer";
    const buttons = [act("Discard", () => outbox.remove(entry))];
    if (!entry.unreadable) buttons.unshift(act("Try again", () => retry(entry)));
    return make(
      "li",
      {},
      make("p", { className: "text", dir: "auto", textContent: `${what}: ${entry.about?.name ?? entry.id}` }),
      make("p", { className: "dim text", textContent: entry.error ?? "It cannot be read." }),
      make("p", { className: "actions" }, ...buttons),
    );
  };

  const count = () => {
    const entries = outbox.refused();
    const why = entries.at(-1)?.error;
    const text = `${counted(entries.length, "answer")} refused by the server, kept here. ${why ?? ""}`;
    tell(byId("banner-refused"), entries.length > 0 ? text : null);
  };

  panel("refused", null, () => draw());
  return count;
}
