// The candidates that come next, with their images loaded: what goes on working while the server is away.

import { ask } from "./api.js";
import { PAGE } from "./sender.js";

const AHEAD = 5; // at most; the server names three beside the next

export class Supply {
  constructor() {
    this.ahead = [];
    this.query = new URLSearchParams();
    this.shown = null; // the item on the screen
    this.last = null; // the one that was answered last
    this.skipped = new Set();
    this.untold = new Set(); // what was skipped, as far as the server does not know it
    this.blocked = new Map(); // item -> the last request that may still offer it though it is answered
    this.request = 0;
    this.settled = 0; // how many answers the server has confirmed
    this.filling = null;
    this.exhausted = false; // the server has nothing more
  }

  take() {
    return this.ahead.shift() ?? null;
  }

  /** `entry` comes next, before all others. */
  putBack(entry) {
    this.ahead.unshift(entry);
  }

  /** The item was answered here or in another tab: it is not shown again until the server knows. */
  block(item) {
    this.blocked.set(item, Infinity);
    this.ahead = this.ahead.filter((entry) => entry.item.id !== item);
  }

  /** The server knows the answer: only replies that are already under way may still offer the item. */
  settle(item) {
    this.settled += 1;
    if (this.blocked.has(item)) this.blocked.set(item, this.request);
  }

  skip(item) {
    this.skipped.add(item);
    this.untold.add(item);
  }

  /** Forget what was loaded and ask with other filters. */
  restart(query = this.query) {
    this.query = query;
    this.ahead = [];
    this.skipped.clear();
    this.filling = null;
    this.exhausted = false;
    this.request += 1;
  }

  /** Ask for more where little is ahead; { progress }, null where nothing was asked. Progress is null if outdated. */
  fill() {
    if (this.ahead.length >= AHEAD - 1) return Promise.resolve(null);
    const filling = (this.filling ??= this.#load().finally(() => {
      if (this.filling === filling) this.filling = null;
    }));
    return filling;
  }

  async #load() {
    const request = (this.request += 1);
    const { settled } = this;
    let reply = await this.#ask();
    if (!reply.item && this.#starving && this.skipped.size > 0) {
      reply = await this.#next(null); // only what was skipped last is left
    }
    await this.#store(reply, request);
    return { progress: this.settled === settled ? reply.progress : null };
  }

  async #store(reply, request) {
    if (this.request !== request) return; // the filters were changed meanwhile
    this.exhausted = reply.item === null;
    const offered = reply.item ? [reply.item, ...reply.upcoming] : [];
    const open = offered.filter(({ id }) => this.#free(id, request));
    if (this.#starving && open.every(({ id }) => this.skipped.has(id))) this.skipped.clear(); // the second round
    for (const { id } of open) {
      if (this.skipped.has(id) || this.ahead.length >= AHEAD) continue;
      const item = id === reply.item.id ? reply.item : await ask("GET", `/api/items/${id}`);
      if (this.request !== request) return;
      if (this.#free(id, request)) this.ahead.push({ item: { ...item, page: PAGE }, picture: load(item), was: null });
    }
  }

  /** What comes next; the server learns of every item that was skipped, and is not asked the last answered one again. */
  async #ask() {
    let reply;
    for (const after of [...this.untold]) {
      reply = await this.#next(after);
      this.untold.delete(after);
    }
    return reply ?? this.#next(this.last);
  }

  #next(after) {
    const query = new URLSearchParams(this.query);
    if (after !== null) query.set("after", after);
    return ask("GET", `/api/next?${query}`);
  }

  get #starving() {
    return this.shown === null && this.ahead.length === 0;
  }

  #free(id, request) {
    const here = id === this.shown || this.ahead.some(({ item }) => item.id === id);
    return !here && !(this.blocked.get(id) >= request);
  }
}

/** An image element that loads and decodes at once, before anybody looks. */
export function load(item) {
  const picture = new Image();
  picture.alt = `Image ${item.image.name}`;
  picture.draggable = false;
  picture.decoding = "async";
  picture.src = item.image.url;
  picture.decode().catch(() => {}); // whoever shows it asks `complete` and listens for its error
  return picture;
}
