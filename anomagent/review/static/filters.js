// Which candidates are asked about: source, kind, severity, and only what people are unsure of.

import { ask } from "./api.js";
import { byId, make } from "./dom.js";
import { panel } from "./panels.js";
import { recall, remember } from "./storage.js";

const KEY = "anomagent.filters";

/** The filters as the server's query; kept in this tab. */
export class Filters {
  /** `apply(query)` is called when they have changed. */
  constructor(apply) {
    this.apply = apply;
    this.open = panel("filters", "f", () => this.#begin());
    byId("filters-form").addEventListener("submit", (event) => this.#submit(event));
    byId("filters-reset").addEventListener("click", () => {
      byId("filters").close();
      this.clear();
    });
    byId("clear-filters").addEventListener("click", () => this.clear());
    this.query = new URLSearchParams(recall("sessionStorage", KEY) ?? "");
  }

  clear() {
    this.#use(new URLSearchParams());
  }

  /** The filters in words; null where there are none. */
  get words() {
    const get = (name) => this.query.get(name);
    const parts = [get("source") && `source ${get("source")}`, get("kind") && `kind ${get("kind")}`];
    if (this.query.has("severity_min")) parts.push(`severity ${get("severity_min")} to ${get("severity_max")}`);
    if (this.query.has("unsure")) parts.push("unsure or disputed");
    return parts.filter(Boolean).join(", ") || null;
  }

  #begin() {
    byId("filters-error").textContent = "";
    byId("filter-min").value = this.query.get("severity_min") ?? 0;
    byId("filter-max").value = this.query.get("severity_max") ?? 100;
    byId("filter-unsure").checked = this.query.has("unsure");
    this.#offer();
  }

  async #offer() {
    try {
      const { sources, kinds } = await ask("GET", "/api/filters");
      choices("filter-source", sources.map((source) => [source, source]), this.query.get("source"));
      choices("filter-kind", kinds.map(({ id, title }) => [id, title]), this.query.get("kind"));
    } catch (error) {
      byId("filters-error").textContent = `Sources and kinds cannot be listed: ${error.message}`;
    }
  }

  #submit(event) {
    event.preventDefault();
    const [least, most] = ["filter-min", "filter-max"].map((id) => byId(id).valueAsNumber);
    if (!(Number.isInteger(least) && Number.isInteger(most) && 0 <= least && least <= most && most <= 100)) {
      byId("filters-error").textContent = "Severity: give two whole numbers from 0 to 100, the smaller one first.";
      byId("filter-min").focus();
      return;
    }
    const query = new URLSearchParams();
    if (byId("filter-source").value) query.set("source", byId("filter-source").value);
    if (byId("filter-kind").value) query.set("kind", byId("filter-kind").value);
    if (least > 0 || most < 100) {
      query.set("severity_min", least);
      query.set("severity_max", most);
    }
    if (byId("filter-unsure").checked) query.set("unsure", "1");
    byId("filters").close();
    this.#use(query);
  }

  #use(query) {
    this.query = query;
    remember("sessionStorage", KEY, query.toString());
    this.apply(query);
  }
}

function choices(id, pairs, chosen) {
  const select = byId(id);
  const all = select.options[0];
  select.replaceChildren(all, ...pairs.map(([value, title]) => make("option", { value, textContent: title })));
  select.value = chosen ?? "";
  if (select.selectedIndex < 0) select.value = "";
}
