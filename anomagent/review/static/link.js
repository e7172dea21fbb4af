// Whether the server answers, and when to try again: after 1, 2, 4 ... 30 seconds, and when the browser says "online".
//
// `navigator.onLine` is not asked: a server on loopback answers without any network.

const FIRST = 1_000;
const LONGEST = 30_000; // milliseconds

export class Link {
  /** `retry` tries again; `changed` is called when the server is lost or found, with why. */
  constructor(retry, changed) {
    this.retry = retry;
    this.changed = changed;
    this.lost = null;
    this.delay = FIRST;
    this.timer = null;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  failed(error) {
    this.lost = error.message;
    this.changed();
    if (this.timer !== null) return;
    this.timer = setTimeout(() => this.#again(), this.delay);
    this.delay = Math.min(2 * this.delay, LONGEST);
  }

  works() {
    this.delay = FIRST;
    if (this.lost === null) return;
    this.lost = null;
    this.changed();
    this.hurry();
  }

  /** Try at once what would be tried later. */
  hurry() {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.#again();
  }

  #again() {
    this.timer = null;
    this.retry();
  }
}
