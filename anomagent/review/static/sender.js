// Empties the outbox, in order, one entry at a time, in one tab at a time.

import { Ages } from "./ages.js";
import { ask, Fault, Refused, Unreachable } from "./api.js";

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
    this.ages = new Ages();
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
    const faults = new Map(); // item -> the server's fault over an entry: what follows about this item stays behind it
    for (let entry; (entry = this.outbox.waiting().find(({ item }) => !faults.has(item))); ) {
      try {
        await this.#check(entry);
        this.#sent(entry, await this.#send(entry));
      } catch (error) {
        if (error instanceof Fault) faults.set(entry.item, error);
        else if (!this.#refused(entry, error)) return this.#stop(error);
      }
    }
    const [fault] = faults.values();
    if (fault) this.#stop(fault);
  }

  /** Send no more until somebody calls `flush` again. */
  #stop(error) {
    this.more = false;
    this.events.failed(error);
  }

  #sent(entry, reply) {
    this.ages.settle(entry, reply?.stored !== false);
    this.outbox.confirm(entry);
    this.events.sent(entry, reply);
  }

  /** Put aside what the server said no to; false where it said no to this person or page instead, or nothing at all. */
  #refused(entry, error) {
    if (error instanceof Unreachable) return false;
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401 || error.status === 403) return false;
    if (entry.kind === "undo" && error.status === 404) {
      this.#sent(entry, null); // no answer stands: that is what was asked for
    } else {
      this.outbox.refuse(entry, error.status, error.message);
      this.events.refused(entry);
    }
    return true;
  }

  #send(entry) {
    const { id, item, verdict, reason, note, seconds, answer } = entry;
    const age = this.ages.of(entry);
    if (entry.kind === "undo") return ask("POST", "/api/undo", { id, item, answer, age });
    return ask("POST", "/api/answers", { id, item, verdict, reason, note, seconds, age });
  }

  /** An entry of an earlier page may be about another workspace, served at the same address then. */
  async #check(entry) {
    if (entry.unreadable) throw new Refused(0, "What the browser has kept of this answer cannot be read.");
    if (entry.page === PAGE || this.checked.has(entry.id)) return;
    const item = await ask("GET", `/api/items/${Number(entry.item)}`).catch((error) => {
      throw error.status === 404 ? new Refused(0, error.message) : error; // else an undo would count as done
    });
    if (item.image.sha256 !== entry.about.sha256 || item.name !== entry.about.name) {
      throw new Refused(0, "This answer is about another workspace's candidate.");
    }
    this.checked.add(entry.id);
  }
}
