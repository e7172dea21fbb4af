// Empties the outbox, in order, one entry at a time, in one tab at a time.

import { ask, Refused, Unreachable } from "./api.js";

/** This page's life; what an earlier page left behind is checked before it is sent. */
export const PAGE = Math.random().toString(36).slice(2);

export class Sender {
  /**
   * `events`: sent(entry, reply), refused(entry), failed(error) with `Unreachable`, or with `Refused` where the session
   * is lost (401) or the page's CSRF token is (403).
   */
  constructor(outbox, annotator, events) {
    this.outbox = outbox;
    this.lock = `anomagent.outbox/${annotator}`;
    this.events = events;
    this.checked = new Set();
    this.running = null;
    this.more = false;
  }

  /** Send what waits. A call while it is under way joins it: what was put meanwhile is sent, too. */
  flush() {
    this.more = true;
    this.running ??= this.#run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async #run() {
    while (this.more) {
      this.more = false;
      await this.#alone(() => this.#sendAll());
    }
  }

  async #alone(work) {
    // Without locks (an insecure origin) two tabs may send the same entry: its id makes that harmless.
    return navigator.locks ? navigator.locks.request(this.lock, work) : work();
  }

  async #sendAll() {
    for (let entry; (entry = this.outbox.waiting()[0]); ) {
      try {
        await this.#check(entry);
        const reply = await this.#send(entry);
        this.outbox.remove(entry);
        this.events.sent(entry, reply);
      } catch (error) {
        if (this.#settle(entry, error)) continue;
        this.more = false;
        return;
      }
    }
  }

  /** Whether the next entry may be tried after `error`. */
  #settle(entry, error) {
    if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    if (error instanceof Unreachable || error.status === 401 || error.status === 403) {
      this.events.failed(error);
      return false;
    }
    if (entry.kind === "undo" && error.status === 404) {
      this.outbox.remove(entry); // no answer stands: that is what was asked for
      this.events.sent(entry, null);
      return true;
    }
    this.outbox.refuse(entry, error.status, error.message);
    this.events.refused(entry);
    return true;
  }

  #send(entry) {
    if (entry.kind === "undo") return ask("POST", "/api/undo", { id: entry.id, item: entry.item });
    const { id, item, verdict, reason, note, seconds } = entry;
    return ask("POST", "/api/answers", { id, item, verdict, reason, note, seconds });
  }

  /** An entry of an earlier page may be about another workspace, served at the same address then. */
  async #check(entry) {
    if (entry.unreadable) throw new Refused(0, "What the browser has kept of this answer cannot be read.");
    if (entry.page === PAGE || this.checked.has(entry.id)) return;
    const item = await ask("GET", `/api/items/${Number(entry.item)}`);
    if (item.image.sha256 !== entry.about.sha256 || item.name !== entry.about.name) {
      throw new Refused(0, "This answer is about another workspace's candidate.");
    }
    this.checked.add(entry.id);
  }
}
