// How long a person looked: the time in which the item was shown, the tab visible and the window in front.

const LONGEST = 86_400; // seconds; the server takes no more

export class Clock {
  constructor() {
    this.before = 0;
    this.since = null;
    for (const event of ["focus", "blur", "pageshow", "pagehide"]) addEventListener(event, () => this.#follow());
    document.addEventListener("visibilitychange", () => this.#follow());
  }

  start() {
    this.before = 0;
    this.since = null;
    this.#follow();
  }

  /** Seconds since `start`, to a tenth; null beyond a day, which is no measurement. */
  seconds() {
    this.#follow();
    const seconds = Math.round(this.before / 100) / 10;
    return seconds <= LONGEST ? seconds : null;
  }

  #follow() {
    const moment = performance.now();
    if (this.since !== null) this.before += moment - this.since;
    this.since = !document.hidden && document.hasFocus() ? moment : null;
  }
}
