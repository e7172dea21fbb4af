// The evidence trail of a candidate: what each agent said, fetched when somebody asks for it.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";

const STORED = "Everything as it is stored";
let shown = null;

/** Fill the evidence panel for `item`. */
export async function showEvidence(item) {
  if (shown === item.id) return;
  shown = null;
  const wanted = (showEvidence.wanted = item.id);
  const [state, body] = [byId("evidence-state"), byId("evidence-body")];
  state.textContent = "Loading …";
  body.replaceChildren();
  try {
    const trail = await ask("GET", `/api/items/${item.id}/evidence`);
    if (wanted !== showEvidence.wanted) return;
    body.replaceChildren(...draw(trail));
    state.textContent = `Support: ${trail.support} (passes and scans that saw it).`;
    shown = item.id;
  } catch (error) {
    if (wanted === showEvidence.wanted) state.textContent = `The evidence cannot be shown: ${error.message}`;
  }
}

/** What each agent said, in the order of the pipeline; below it, closed, everything as it is stored. */
function draw(trail) {
  const roles = [...new Set(trail.statements.map(({ role }) => role))];
  const said = roles.map((role) => section(role, trail.statements.filter((one) => one.role === role).map(statement)));
  const stored = [
    ["Reports of its objects", trail.object_reports],
    ["Scans of the whole image", trail.scans],
    ["Candidates before the final list", trail.candidates],
  ].map(([title, entries]) => section(title, entries.map(entry)));
  const all = make("details", { ariaLabel: STORED }, make("summary", { textContent: STORED }), ...stored);
  return said.length ? [...said, all] : [make("p", { textContent: "No agent said anything of its objects." }), all];
}

function section(title, rows) {
  const none = make("p", { className: "dim", textContent: "Nothing." });
  const list = make("ul", { className: "trail" }, ...rows);
  return make("section", {}, make("h3", { textContent: title }), rows.length ? list : none);
}

function statement({ object, kind, phenomenon, explanation }) {
  const words = [kind, object].filter(Boolean);
  const head = words.map((text) => make("span", { className: "chip", dir: "auto", textContent: text }));
  return make("li", {}, make("p", { className: "chips" }, ...head), text(phenomenon), text(explanation, "dim"));
}

/** An entry of whatever shape: a text, or named fields. */
function entry(value) {
  if (value === null || typeof value !== "object") return make("li", {}, text(value));
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== "");
  const rows = fields.flatMap(([name, field]) => [
    make("dt", { textContent: name.replaceAll("_", " ") }),
    make("dd", { className: "text", dir: "auto", textContent: typeof field === "object" ? plain(field) : String(field) }),
  ]);
  return make("li", {}, make("dl", {}, ...rows));
}

function plain(field) {
  const simple = Array.isArray(field) && field.every((part) => typeof part !== "object");
  return simple ? field.join(", ") : JSON.stringify(field, null, 1);
}

const text = (value, className = "") =>
  value ? make("p", { className: `text ${className}`, dir: "auto", textContent: String(value) }) : null;
