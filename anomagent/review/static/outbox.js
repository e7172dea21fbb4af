// Answers that the server has not confirmed yet, kept in the browser under their annotator's name.
//
// Each entry has a key of its own in localStorage: two tabs that write at once cannot overwrite each other's list,
// because there is no list. A key's stamp gives the order.

const ROOT = "anomagent.outbox";

/** Where nothing can be stored (a full or forbidden localStorage), entries are kept as long as the page lives. */
class Shelf {
  constructor() {
    this.memory = new Map();
  }

  keys(prefix) {
    const found = [...this.memory.keys()];
    try {
      found.push(...Object.keys(localStorage));
    } catch {
      // Storage is forbidden here: what there is, is in memory.
    }
    return [...new Set(found)].filter((key) => key.startsWith(prefix)).sort();
  }

  read(key) {
    return this.memory.get(key) ?? localStorage.getItem(key);
  }

  write(key, text) {
    try {
      localStorage.setItem(key, text);
    } catch {
      this.memory.set(key, text);
    }
  }

  remove(key) {
    this.memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing was stored there.
    }
  }
}

export class Outbox {
  constructor(annotator) {
    this.shelf = new Shelf();
    this.waitingPrefix = `${ROOT}/waiting/${encodeURIComponent(annotator)}/`;
    this.refusedPrefix = `${ROOT}/refused/${encodeURIComponent(annotator)}/`;
  }

  /** Keep an entry behind all that wait already. */
  put(entry) {
    const last = this.shelf.keys(this.waitingPrefix).at(-1)?.slice(this.waitingPrefix.length).split("/")[0] ?? "0";
    const stamp = Math.max(Date.now(), Number(last) + 1); // a clock that was set back changes no order
    const key = `${String(stamp).padStart(16, "0")}/${entry.id}`;
    if (entry.kind === "undo") this.#forget(entry);
    this.shelf.write(this.waitingPrefix + key, JSON.stringify(entry));
  }

  /** What is still to be sent, oldest first, each with its `key`. */
  waiting() {
    return this.#entries(this.waitingPrefix);
  }

  /** What the server refused, each with `status` and `error`; kept until it is sent after all or discarded. */
  refused() {
    return this.#entries(this.refusedPrefix);
  }

  /** Discard an entry. */
  remove(entry) {
    this.shelf.remove(entry.key);
  }

  /** The server has stored the entry: what it refused before about the same item is out of date, or, undone, gone. */
  confirm(entry) {
    if (entry.kind === "undo") this.#forget(entry);
    for (const older of this.#refusedBefore(entry)) {
      this.shelf.write(older.key, JSON.stringify({ ...older, outdated: true }));
    }
    this.remove(entry);
  }

  refuse(entry, status, error) {
    // Written first, removed then: a browser that dies in between sends it once more, under the same id.
    this.shelf.write(entry.key.replace(this.waitingPrefix, this.refusedPrefix), JSON.stringify({ ...entry, status, error }));
    this.remove(entry);
  }

  /**
   * Send a refused entry again, in its old place. Where the person has answered the item again since then, discard it
   * and return false.
   */
  retry(entry) {
    const { status, error, outdated, key, given, ...rest } = entry;
    const counts = !outdated && !this.waiting().some((other) => same(other, entry) && other.given > given);
    if (counts) this.shelf.write(key.replace(this.refusedPrefix, this.waitingPrefix), JSON.stringify(rest));
    this.remove(entry);
    return counts;
  }

  /** How many entries would be lost with this page. */
  get fragile() {
    return this.shelf.memory.size;
  }

  /** The entry that another tab has just put there, or sent; null for any other change of the storage. */
  heard(event) {
    const text = event.newValue ?? event.oldValue;
    return text && event.key?.startsWith(this.waitingPrefix) ? parse(event.key, text) : null;
  }

  /** Discard what `undo` takes back and the server had refused. */
  #forget(undo) {
    for (const entry of this.#refusedBefore(undo)) this.remove(entry);
  }

  #refusedBefore({ given = Infinity, ...entry }) {
    return this.refused().filter((other) => same(other, entry) && other.given < given);
  }

  #entries(prefix) {
    return this.shelf.keys(prefix).flatMap((key) => {
      const text = this.shelf.read(key);
      return text === null ? [] : [parse(key, text)]; // null: another tab has just sent it
    });
  }
}

/** Whether two entries are about one candidate; its number alone may mean another one, of another workspace. */
const same = (one, other) =>
  one.item === other.item && one.about?.sha256 === other.about?.sha256 && one.about?.name === other.about?.name;

/** An entry with its `key` and when it was `given`, in milliseconds of this device's clock. */
function parse(key, text) {
  const [stamp, id] = key.split("/").slice(-2);
  const given = Number(stamp);
  try {
    return { ...JSON.parse(text), key, given };
  } catch {
    return { key, id, given, unreadable: true };
  }
}

/** How many answers of other people wait in this browser, by name. */
export function waitingByName() {
  const counts = new Map();
  for (const key of new Shelf().keys(`${ROOT}/waiting/`)) {
    const name = decodeURIComponent(key.split("/")[2]);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
